"""A real RTSP server on loopback, gst-rtsp-server by ctypes: python rtsp_server.py PORT [FILE]; prints `ready`."""
import ctypes
import sys

MOVING = ("videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! "
          "x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 config-interval=1")
FILE = "filesrc location=%s ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1"


def function(library, name, result, *arguments):
    found = getattr(library, name)
    found.restype, found.argtypes = result, list(arguments)
    return found


def serve(port, launch):
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    gst, server = ctypes.CDLL("libgstreamer-1.0.so.0"), ctypes.CDLL("libgstrtspserver-1.0.so.0")
    glib, objects = ctypes.CDLL("libglib-2.0.so.0"), ctypes.CDLL("libgobject-2.0.so.0")
    function(gst, "gst_init", None, pointer, pointer)(None, None)
    one = function(server, "gst_rtsp_server_new", pointer)()
    function(server, "gst_rtsp_server_set_address", None, pointer, text)(one, b"127.0.0.1")
    function(server, "gst_rtsp_server_set_service", None, pointer, text)(one, str(port).encode())
    factory = function(server, "gst_rtsp_media_factory_new", pointer)()
    function(server, "gst_rtsp_media_factory_set_launch", None, pointer, text)(factory, ("( %s )" % launch).encode())
    function(server, "gst_rtsp_media_factory_set_shared", None, pointer, ctypes.c_int)(factory, 1)
    mounts = function(server, "gst_rtsp_server_get_mount_points", pointer, pointer)(one)
    function(server, "gst_rtsp_mount_points_add_factory", None, pointer, text, pointer)(mounts, b"/live", factory)
    function(objects, "g_object_unref", None, pointer)(mounts)
    if not function(server, "gst_rtsp_server_attach", ctypes.c_uint, pointer, pointer)(one, None):
        sys.exit("port %d is taken" % port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop = function(glib, "g_main_loop_new", pointer, pointer, ctypes.c_int)(None, 0)
    function(glib, "g_main_loop_run", None, pointer)(loop)


if __name__ == "__main__":
    serve(int(sys.argv[1]), FILE % sys.argv[2] if len(sys.argv) > 2 else MOVING)
