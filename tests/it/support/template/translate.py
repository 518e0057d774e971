"""Writes what AWS SAM makes of a template: standard input is the template, standard output CloudFormation's JSON.

Linters pass a SAM template whose values CloudFormation would refuse; what SAM made of it they judge rightly.
"""

import json
import sys

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

template = yaml_parse(sys.stdin.read())
for resource in template["Resources"].values():
    # As `sam package` writes where it put the code.
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
parameters = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}


class ManagedPolicies:
    """Nothing here names a managed policy that AWS would have to be asked about."""

    def load(self):
        return {}


try:
    json.dump(transform(template, parameters, ManagedPolicies()), sys.stdout, indent=2)
except InvalidDocumentException as error:
    sys.exit("\n".join(cause.message for cause in error.causes))
