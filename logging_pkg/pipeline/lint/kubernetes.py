"""Rules inside Kubernetes resources: PrometheusRule, for Prometheus, Thanos and, through Grafana Alloy, Loki.

In: a rule file, plain or of resources. Out: YamlFiles whose root has the groups. Never: another kind of resource; a
template of Helm's, which is no YAML before it is rendered.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from logging_pkg.pipeline.lint.source import SourceFile
from logging_pkg.pipeline.lint.yaml_file import YamlFile

#: https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PrometheusRule
_KIND: Final = "PrometheusRule"
_LINE: Final = re.compile(rf"^[\"']?kind[\"']?\s*:\s*[\"']?{_KIND}[\"']?\s*(?:#.*)?$", re.MULTILINE)


def has_rule_resources(source: SourceFile) -> bool:
    """Whether a file looks as if it held such a resource."""
    return _LINE.search(source.text) is not None


def rule_files_in(source: SourceFile) -> list[YamlFile]:
    """A plain rule file as it is; of a file of resources, the `spec` of each that holds rules."""
    if not has_rule_resources(source):
        return [YamlFile.of(source)]
    return [
        replace(file, root=file.root.mapping("spec")) if file.root else file
        for file in YamlFile.all_of(source)
        if file.root is None or ((kind := file.root.text("kind")) is not None and kind.text == _KIND)
    ]
