"""wb-export inspect --capability: which nodes TensorRT's parser takes."""
import collections
import sys
from typing import Any, Counter, Dict, List, Tuple

from wholebody.errors import MissingPackage

_SHOWN = 5  # nodes of one operator and reason


def capability_report(path: str) -> Dict[str, Any]:
    """Nodes by verdict, operator and reason, as --json prints them."""
    if sys.version_info < (3, 10):
        raise MissingPackage("--capability needs Python 3.10 or later and polygraphy: ask on a desktop machine, with "
                             "pip install 'wholebody[export,rtx]'")
    from wholebody.export.capability import SUPPORTED, UNKNOWN, UNSUPPORTED, find_parser, inspect_capability
    parser = find_parser()
    nodes = inspect_capability(path, parser)
    supported: Counter[str] = collections.Counter(node.operator for node in nodes if node.verdict == SUPPORTED)
    groups: Dict[Tuple[str, str, str], List[Dict[str, Any]]] = {}
    for node in nodes:
        if node.verdict != SUPPORTED:
            groups.setdefault((node.verdict, node.operator, node.reason), []).append(
                {"index": node.index, "name": node.name})
    by_verdict = {verdict: [{"operator": operator, "count": len(found), "reason": reason, "nodes": found}
                            for (what, operator, reason), found in groups.items() if what == verdict]
                  for verdict in (UNSUPPORTED, UNKNOWN)}
    return {"parser": str(parser), "taken": not groups, "nodes": len(nodes),
            "supported": dict(sorted(supported.items(), key=lambda item: (-item[1], item[0]))), **by_verdict}


def capability_text(report: Dict[str, Any]) -> List[str]:
    """The same for people."""
    count = sum(report["supported"].values())
    lines = ["parser  %s takes %d of %d nodes" % (report["parser"], count, report["nodes"])]
    if report["supported"]:
        lines.append("        supported: " + ", ".join("%s %d" % item for item in report["supported"].items()))
    for verdict in ("unsupported", "unknown"):
        for group in report[verdict]:
            nodes = ["%d %s" % (node["index"], node["name"]) for node in group["nodes"][:_SHOWN]]
            more = ", ..." if group["count"] > _SHOWN else ""
            lines.append("        %s: %s %d: %s (node %s%s)" % (
                verdict, group["operator"], group["count"], group["reason"], ", ".join(nodes), more))
    return lines
