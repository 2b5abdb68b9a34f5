//! The JSON of the API, version 4. Unknown fields are ignored, missing and null ones are the same.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) result: Option<T>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) success: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) errors: Vec<Complaint>,
    pub(crate) result_info: Option<PageInfo>,
}

/// One error of an answer. Validation errors carry what is wrong in their chain.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Complaint {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) code: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) message: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) error_chain: Vec<Complaint>,
}

/// Where in a list an answer is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct PageInfo {
    pub(crate) per_page: Option<u64>,
    pub(crate) total_pages: Option<u64>,
    pub(crate) total_count: Option<u64>,
}

/// A zone as it is listed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ZoneObject {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) status: String,
    #[serde(default, deserialize_with = "or_default", rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name_servers: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) vanity_name_servers: Vec<String>,
    /// Empty where the service does not tell.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) permissions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) plan: PlanObject,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct PlanObject {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) legacy_id: String,
}

/// A record as it is listed. Comment and tags are not read: nothing that is sent touches them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RecordObject {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) rtype: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) content: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) data: Map<String, Value>,
    #[serde(default)]
    pub(crate) priority: Value,
    #[serde(default)]
    pub(crate) ttl: Value,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) proxied: bool,
    /// In older answers.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) locked: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) meta: Map<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) settings: Map<String, Value>,
}

/// A number, also as a float without a fraction or as digits in a string: the schema allows floats.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=4e9).contains(float))?;
            Some(float as u64)
        }),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// Whether a field of `meta` or `settings` is set.
pub(crate) fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Option::deserialize(input).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers() {
        for (value, expected) in [
            (json!(5), Some(5)),
            (json!(5.0), Some(5)),
            (json!("5"), Some(5)),
            (json!(5.5), None),
            (json!(-5), None),
            (json!(1e300), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(number(&value), expected, "{value}");
        }
    }

    #[test]
    fn null_is_missing() {
        let record: RecordObject = serde_json::from_value(json!({
            "id": "1", "name": "example.org", "type": "TXT", "content": "x", "ttl": 1.0,
            "data": null, "meta": null, "settings": null, "proxied": null, "comment": null, "new": {"field": 1}
        }))
        .unwrap();
        assert!(record.data.is_empty() && !record.proxied);
        let envelope: Envelope<Vec<RecordObject>> =
            serde_json::from_value(json!({"result": null, "success": false, "errors": null})).unwrap();
        assert!(envelope.result.is_none() && envelope.errors.is_empty() && envelope.result_info.is_none());
    }
}
