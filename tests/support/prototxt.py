"""A deploy prototxt from a table of layers, for importers of Caffe files that are not ours."""


def to_prototxt(layers, height, width):
    """The text of one network for one picture of a given size; activations work in place, as in the official files."""
    text = ['name: "net"', 'input: "image"']
    text += [f"input_dim: {side}" for side in (1, 3, height, width)]
    for layer in layers:
        inputs = " ".join(f'bottom: "{name}"' for name in layer.inputs)
        body = f'{inputs} top: "{layer.output}"'
        if layer.kind == "conv":
            body += (f" convolution_param {{ num_output: {layer.c_out} pad: {layer.kernel // 2} "
                     f"kernel_size: {layer.kernel} }}")
            kind = "Convolution"
        elif layer.kind == "pool":
            body += " pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
            kind = "Pooling"
        else:
            body += " concat_param { axis: 1 }"
            kind = "Concat"
        text.append(f'layer {{ name: "{layer.name}" type: "{kind}" {body} }}')
        if layer.activation:
            relu = layer.activation == "relu"
            name = f"{layer.name}_relu" if relu else layer.activation
            text.append(f'layer {{ name: "{name}" type: "{"ReLU" if relu else "PReLU"}" '
                        f'bottom: "{layer.output}" top: "{layer.output}" }}')
    return "\n".join(text)
