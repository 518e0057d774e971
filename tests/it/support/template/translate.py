"""Translates a SAM template on standard input to CloudFormation's JSON on standard output.

A linter checks the values of a CloudFormation template, but not those of a SAM template.
"""

import json
import sys

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

template = yaml_parse(sys.stdin.read())
for resource in template["Resources"].values():
    # `sam package` replaces the path of the code with its location in S3.
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
parameters = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}


class ManagedPolicies:
    """Returns no managed policies, since the template names none that only AWS could resolve."""

    def load(self):
        return {}


try:
    json.dump(transform(template, parameters, ManagedPolicies()), sys.stdout, indent=2)
except InvalidDocumentException as error:
    sys.exit("\n".join(cause.message for cause in error.causes))
