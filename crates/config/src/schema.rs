//! The JSON Schema (draft-07) of the configuration, made from the key tables.

use serde_json::{Map, Value, json};

use crate::keys::{PROVIDER_TYPES, ROOT, Shape, TableSpec};
use crate::senders::{ParameterKind, Preset, presets};

/// The schema for editors: what it refuses [`crate::load`] refuses too; `load` refuses more.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = table(&ROOT, &mut definitions);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("mailzone configuration");
    schema["definitions"] = Value::Object(definitions);
    schema
}

fn shape(of: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match of {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::True => json!({ "const": true }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        // A TOML date has no type in JSON; editors hand it over as a string.
        Shape::Date => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Shape::Text(kind) => {
            let mut text = json!({ "type": "string" });
            if let Some(pattern) = kind.pattern {
                text["pattern"] = json!(pattern);
            }
            text
        }
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List { of, min } => json!({ "type": "array", "items": shape(of, definitions), "minItems": min }),
        Shape::Table(spec) => reference(spec, definitions),
        Shape::Provider => {
            let types: Vec<Value> = PROVIDER_TYPES.iter().map(|(_, spec)| reference(spec, definitions)).collect();
            json!({ "anyOf": types })
        }
        Shape::Senders => {
            let presets = presets().values().map(|preset| (preset.name.clone(), sender(preset)));
            let properties: Map<String, Value> = presets.collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties })
        }
        Shape::Map { key, value } => {
            let mut names = json!({ "type": "string" });
            if let Some(pattern) = key.pattern {
                names["pattern"] = json!(pattern);
            }
            json!({ "type": "object", "propertyNames": names, "additionalProperties": shape(value, definitions) })
        }
        Shape::OneOf(alternatives) => {
            let alternatives: Vec<Value> =
                alternatives.iter().map(|alternative| shape(alternative, definitions)).collect();
            json!({ "anyOf": alternatives })
        }
    }
}

/// The table of a preset.
fn sender(preset: &Preset) -> Value {
    let mut properties = Map::new();
    for parameter in &preset.parameters {
        let mut value = match &parameter.kind {
            ParameterKind::Labels(count) => {
                json!({ "type": "array", "items": { "type": "string" }, "minItems": count, "maxItems": count })
            }
            ParameterKind::Choice(words) => json!({ "enum": words }),
            ParameterKind::Label | ParameterKind::Host | ParameterKind::Key | ParameterKind::Text => {
                json!({ "type": "string", "minLength": 1 })
            }
        };
        value["description"] = json!(parameter.doc);
        properties.insert(parameter.name.clone(), value);
    }
    if !preset.mx.is_empty() {
        properties.insert("mx".into(), json!({ "const": true, "description": "The service takes the domain's mail." }));
    }
    properties.insert("absent".into(), json!({ "const": true, "description": "All of its records shall go." }));
    let required: Vec<&str> = preset.parameters.iter().filter(|p| p.required).map(|p| p.name.as_str()).collect();
    let mut table = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    json!({ "anyOf": [{ "const": "unmanaged" }, table], "description": preset.title })
}

/// The table, defined once.
fn reference(spec: &TableSpec, definitions: &mut Map<String, Value>) -> Value {
    let name = spec.name.replace('`', "").replace(' ', "-");
    if !definitions.contains_key(&name) {
        definitions.insert(name.clone(), Value::Null);
        let body = table(spec, definitions);
        definitions.insert(name.clone(), body);
    }
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn table(spec: &TableSpec, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in spec.allowed() {
        // Beside `$ref` draft-07 ignores everything, hence `allOf`.
        let mut value = shape(&key.shape, definitions);
        if value.get("$ref").is_some() {
            value = json!({ "allOf": [value] });
        }
        value["description"] = json!(key.doc);
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> = spec.allowed().filter(|key| key.required).map(|key| key.name).collect();
    let mut table = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set `UPDATE_SCHEMA=1` to write the file anew.
    #[test]
    fn checked_in_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/mailzone.schema.json");
        let current = format!("{:#}\n", schema());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == current,
            "mailzone.schema.json is out of date: run with UPDATE_SCHEMA=1"
        );
    }
}
