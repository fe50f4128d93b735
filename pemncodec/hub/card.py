"""The model card: a template of huggingface_hub, and the facts about a file that fill it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..container.accounting import sizes
from ..container.manifest.rows import MaskedRow
from ..container.opening import open_container
from ..packing.report import PackReport
from .folder import MODEL

TEMPLATE = """---
{{ card_data }}
---

# {{ model_class | default("Model", true) }}

The weights of this PyTorch model are in `model.pemn`, a compact file of a pruned or masked network.
The Python package pemncodec decodes them to the same bits.
{% if file_bytes is defined %}
| | |
| --- | --- |
| `model.pemn` | {{ file_bytes }} B |
| dense weights | {{ dense_bytes }} B, {{ ratio }} times as many |
| masked layers | {{ layers }} |
{% if masked_weights -%}
| weights in them | {{ masked_weights }}, of which {{ density }} % are kept |
{% endif -%}
{% if base_sha256 -%}
| base | the file is a delta: its base has the SHA-256 `{{ base_sha256 }}` |
{% endif -%}
{% for conversion in conversions -%}
| lossy | {{ conversion }} |
{% endfor %}
{%- endif %}
Load it with the class that wrote it{% if model_class is defined %}, `{{ model_class }}`{% endif %}:

```python
model = {{ model_class | default("Model", true) }}.from_pretrained("…")                   # dense weights
model = {{ model_class | default("Model", true) }}.from_pretrained("…", layout="packed")  # one bit per masked weight
```
{% if repo_url %}
Code: {{ repo_url }}
{% endif %}{% if paper_url %}
Paper: {{ paper_url }}
{% endif %}{% if docs_url %}
Documentation: {{ docs_url }}
{% endif %}"""


def facts(folder: Path, report: PackReport) -> dict[str, Any]:
    """Return the variables of the template that follow from the file in `folder` and its report."""
    container = open_container(folder / MODEL)
    try:
        manifest, size = container.manifest, container.header.file_size
        layers = [row for row in manifest.entries if isinstance(row, MaskedRow)]
        kept = sum(manifest.masks[row.mask].ones for row in layers)
        counted = sizes(manifest, size)
        return {
            "file_bytes": f"{size:,}",
            "dense_bytes": f"{counted.decoded:,}",
            "ratio": f"{counted.decoded / size:.1f}",
            "layers": f"{len(layers):,}",
            "masked_weights": f"{counted.masked_weights:,}" if counted.masked_weights else "",
            "density": f"{100 * kept / max(counted.masked_weights, 1):.2f}",
            "base_sha256": manifest.base or "",
            "conversions": report.conversions,
        }
    finally:
        container.close()
