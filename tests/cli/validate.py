"""Validates JSON documents against schemas of cli/schemas. Usage: validate.py (SCHEMA DOCUMENT)...   Prints what is wrong; exit code 1 then."""
import json
import sys

import jsonschema

wrong = 0
for schema_path, path in zip(sys.argv[1::2], sys.argv[2::2]):
    with open(schema_path) as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    with open(path) as file:
        text = file.read()
    try:
        document = json.loads(text)
    except ValueError as error:
        print(f"{schema_path}: not one JSON document: {error}\n{text[:500]}")
        wrong += 1
        continue
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        print(f"{schema_path}: {jsonschema.exceptions.best_match([error]).message}\n{text[:500]}")
        wrong += 1
sys.exit(1 if wrong else 0)
