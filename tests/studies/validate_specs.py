#!/usr/bin/env python3
"""Validates the specs that ship, and a bad one, against the published schema: validate_specs.py SOURCE_DIRECTORY.

Exit status 77 (skipped) where python3-jsonschema or python3-yaml is missing.
"""
import json
import pathlib
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

source = pathlib.Path(sys.argv[1])
schema = json.loads((source / "studies/schema/study.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
specs = [path for path in sorted((source / "studies/specs").glob("*.yaml")) if "hyscale.study/1" in path.read_text()]
specs.append(source / "tests/studies/sample.yaml")
failed = 0
for path in specs:
    for error in validator.iter_errors(yaml.safe_load(path.read_text())):
        print(f"{path}: {error.json_path}: {error.message}")
        failed += 1
spec = yaml.safe_load(specs[-1].read_text())
for key, value in {"budgts": 1, "compare": "equal_time", "budgets": {"flops": [1], "tokens": [1]}, "sizes": "1M"}.items():
    if validator.is_valid({**spec, key: value}):
        print(f"the schema takes {key}: {value}")
        failed += 1
print(f"{len(specs)} specs, {failed} problems")
sys.exit(1 if failed or len(specs) < 3 else 0)
