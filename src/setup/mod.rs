//! From a template to the CloudFormation stack that a site lives in.
