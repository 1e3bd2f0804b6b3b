//! Templates: YAML or JSON, the functions in them, and the order in which their resources are made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The parts of a template that mean something here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    pub parameters: Map<String, Value>,
    pub resources: Map<String, Value>,
    pub outputs: Map<String, Value>,
}

/// What a name stands for, or an attribute of what it names. `None`: not known, or not yet.
pub(crate) type Lookup<'a> = dyn Fn(&str, Option<&str>) -> Option<String> + 'a;

impl Template {
    /// Reads a template. Errors are what ValidationError says.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let failed = |said: String| format!("Template format error: {said}");
        let value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| failed(error.to_string()))?
        } else {
            let said = |_| failed("YAML not well-formed.".to_owned());
            serde_saphyr::from_str(text).map_err(said)?
        };
        let part = |name: &str| match value.get(name) {
            None => Ok(Map::new()),
            Some(Value::Object(part)) => Ok(part.clone()),
            Some(_) => Err(failed(format!("'{name}' must be an object."))),
        };
        let template = Self {
            parameters: part("Parameters")?,
            resources: part("Resources")?,
            outputs: part("Outputs")?,
        };
        if template.resources.is_empty() {
            return Err(failed(
                "At least one Resources member must be defined.".to_owned(),
            ));
        }
        template.order().map(|_| template)
    }

    /// Every parameter's value. Errors are what ValidationError says.
    pub(crate) fn filled(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, String> {
        let unknown = given
            .keys()
            .find(|name| !self.parameters.contains_key(*name));
        if let Some(name) = unknown {
            return Err(format!("Parameters: [{name}] do not exist in the template"));
        }
        let values = self.parameters.iter().map(|(name, parameter)| {
            let default = parameter.get("Default").map(text);
            let value = given.get(name).cloned().or(default);
            let value = value.ok_or_else(|| format!("Parameters: [{name}] must have values"))?;
            Ok((name.clone(), value))
        });
        values.collect()
    }

    /// What is asked of one resource besides its properties, such as DeletionPolicy.
    pub(crate) fn attribute(&self, id: &str, name: &str) -> &str {
        let resource = self.resources.get(id);
        let value = resource.and_then(|resource| resource.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// A resource's type.
    pub(crate) fn kind(&self, id: &str) -> &str {
        self.attribute(id, "Type")
    }

    /// A resource's properties as they stand there.
    pub(crate) fn properties(&self, id: &str) -> Value {
        let resource = self.resources.get(id);
        let properties = resource.and_then(|resource| resource.get("Properties"));
        properties
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// The resources, each after those that it needs.
    pub(crate) fn order(&self) -> Result<Vec<String>, String> {
        let mut left: Vec<&String> = self.resources.keys().collect();
        let mut order: Vec<String> = Vec::new();
        while !left.is_empty() {
            let before = left.len();
            let mut waiting = Vec::new();
            for id in left {
                if self.needs(id)?.iter().all(|need| order.contains(need)) {
                    order.push(id.clone());
                } else {
                    waiting.push(id);
                }
            }
            if waiting.len() == before {
                let names: Vec<&str> = waiting.iter().map(|id| id.as_str()).collect();
                let names = names.join(", ");
                return Err(format!("Circular dependency between resources: [{names}]"));
            }
            left = waiting;
        }
        Ok(order)
    }

    /// The resources that one needs.
    fn needs(&self, id: &str) -> Result<BTreeSet<String>, String> {
        let mut names = references(&self.properties(id));
        match self.resources[id].get("DependsOn") {
            Some(Value::String(name)) => _ = names.insert(name.clone()),
            Some(Value::Array(list)) => names.extend(list.iter().map(text)),
            _ => {}
        }
        names.retain(|name| !name.starts_with("AWS::") && !self.parameters.contains_key(name));
        match names
            .iter()
            .find(|name| !self.resources.contains_key(*name))
        {
            None => Ok(names),
            Some(name) => Err(format!(
                "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
            )),
        }
    }
}

/// Scalars as text: templates write numbers and booleans with quotes or without.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A function and its argument, where a value is one.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (name, argument) = object.iter().next()?;
    let is_function = name == "Ref" || name.starts_with("Fn::");
    is_function.then_some((name.as_str(), argument))
}

/// The name and the attribute of Fn::GetAtt, in both of its forms.
fn attribute_of(argument: &Value) -> Option<(String, String)> {
    match argument {
        Value::String(both) => {
            let (name, attribute) = both.split_once('.')?;
            Some((name.to_owned(), attribute.to_owned()))
        }
        Value::Array(both) => Some((text(both.first()?), text(both.get(1)?))),
        _ => None,
    }
}

/// The text of Fn::Sub in pieces: what stands there, and what stands for something else.
fn pieces(text: &str) -> Vec<(String, Option<String>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name.strip_prefix('!') {
            Some(literal) => pieces.push((format!("{before}${{{literal}}}"), None)),
            None => pieces.push((before.to_owned(), Some(name.trim().to_owned()))),
        }
        rest = after;
    }
    pieces.push((rest.to_owned(), None));
    pieces
}

/// The text of Fn::Sub and the values that go with it.
fn substitution(argument: &Value) -> (String, Map<String, Value>) {
    match argument {
        Value::Array(both) => {
            let own = both.get(1).and_then(Value::as_object);
            let template = both.first().map(text).unwrap_or_default();
            (template, own.cloned().unwrap_or_default())
        }
        other => (text(other), Map::new()),
    }
}

/// The names that a value refers to.
pub(crate) fn references(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(value, &mut names);
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match (function(value), value) {
        (Some(("Ref", name)), _) => _ = names.insert(text(name)),
        (Some(("Fn::GetAtt", argument)), _) => {
            names.extend(attribute_of(argument).map(|(name, _)| name));
        }
        (Some(("Fn::Sub", argument)), _) => {
            let (template, own) = substitution(argument);
            let named = pieces(&template).into_iter().filter_map(|(_, name)| name);
            let named = named.filter(|name| !own.contains_key(name));
            names.extend(named.map(|name| name.split('.').next().unwrap_or_default().to_owned()));
            own.values().for_each(|value| collect(value, names));
        }
        (_, Value::Object(object)) => object.values().for_each(|value| collect(value, names)),
        (_, Value::Array(list)) => list.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

/// A value with what its functions give. One that needs what is not known stays as it stands.
pub(crate) fn resolve(value: &Value, lookup: &Lookup<'_>) -> Value {
    if let Some((name, argument)) = function(value) {
        let known = match name {
            "Ref" => lookup(&text(argument), None),
            "Fn::GetAtt" => {
                attribute_of(argument).and_then(|(name, attribute)| lookup(&name, Some(&attribute)))
            }
            "Fn::Sub" => substitute(argument, lookup),
            "Fn::Join" => join(argument, lookup),
            _ => None,
        };
        return known.map_or_else(|| value.clone(), Value::String);
    }
    let is_nothing = |value: &Value| *value == serde_json::json!({ "Ref": "AWS::NoValue" });
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !is_nothing(value));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), resolve(value, lookup)))
                    .collect(),
            )
        }
        Value::Array(list) => {
            let kept = list.iter().filter(|value| !is_nothing(value));
            Value::Array(kept.map(|value| resolve(value, lookup)).collect())
        }
        other => other.clone(),
    }
}

fn substitute(argument: &Value, lookup: &Lookup<'_>) -> Option<String> {
    let (template, own) = substitution(argument);
    let mut whole = String::new();
    for (before, name) in pieces(&template) {
        whole.push_str(&before);
        let Some(name) = name else { continue };
        let value = match (own.get(&name), name.split_once('.')) {
            (Some(value), _) => scalar(&resolve(value, lookup)),
            (None, Some((name, attribute))) => lookup(name, Some(attribute)),
            (None, None) => lookup(&name, None),
        };
        whole.push_str(&value?);
    }
    Some(whole)
}

fn join(argument: &Value, lookup: &Lookup<'_>) -> Option<String> {
    let [separator, parts] = argument.as_array()?.as_slice() else {
        return None;
    };
    let parts = parts.as_array()?.iter();
    let parts: Option<Vec<String>> = parts.map(|part| scalar(&resolve(part, lookup))).collect();
    Some(parts?.join(&text(separator)))
}

fn scalar(value: &Value) -> Option<String> {
    (!value.is_object() && !value.is_array()).then(|| text(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Name: { Type: String, Default: site }
Resources:
  # Made last.
  A:
    Type: AWS::X::A
    DependsOn: C
    Properties:
      Arn:
        Fn::GetAtt: [B, Arn]
      Text:
        Fn::Sub: '${Name}-${B}-${B.Arn}-${!B}-${AWS::Region}'
      Number: 10
      Policy:
        Version: 2012-10-17
      List:
        Fn::Join: ['/', [a, { Ref: Name }]]
      Later:
        Fn::Sub: 'x${C}'
  B: { Type: AWS::X::B }
  C:
    Type: AWS::X::C
    Properties:
      Of:
        Ref: B
";

    #[test]
    fn functions_are_resolved_as_far_as_names_are_known() {
        let template = Template::parse(TEMPLATE).unwrap();
        assert_eq!(template.order().unwrap(), ["B", "C", "A"]);
        let lookup = |name: &str, attribute: Option<&str>| match (name, attribute) {
            ("Name", None) => Some("site".to_owned()),
            ("AWS::Region", None) => Some("us-east-1".to_owned()),
            ("B", None) => Some("b".to_owned()),
            ("B", Some("Arn")) => Some("arn:b".to_owned()),
            _ => None,
        };
        let resolved = resolve(&template.properties("A"), &lookup);
        let expected = serde_json::json!({
            "Arn": "arn:b",
            "Text": "site-b-arn:b-${B}-us-east-1",
            "Number": 10,
            "Policy": { "Version": "2012-10-17" },
            "List": "a/site",
            "Later": { "Fn::Sub": "x${C}" },
        });
        assert_eq!(resolved, expected);
        assert_eq!(references(&resolved), BTreeSet::from(["C".to_owned()]));
        let filled = template.filled(&BTreeMap::new()).unwrap();
        assert_eq!(filled["Name"], "site");
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said() {
        for (text, expected) in [
            ("Resources: [", "YAML not well-formed"),
            ("{\"Resources\":{}}", "At least one Resources member"),
            (
                "Resources: { A: { Type: X, DependsOn: B } }",
                "dependencies [B]",
            ),
            (
                "Resources: { A: { DependsOn: B }, B: { DependsOn: [A] } }",
                "Circular dependency between resources: [A, B]",
            ),
        ] {
            let said = Template::parse(text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
