//! Settings as `FIELD=VALUE`, with the names of the configuration: `persistence.timeout_seconds=600`. Each is written
//! in the type that the field has, so that a field that is added later needs nothing here. Pure.

use clap::Args;
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value};

/// Settings on the command line.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// A setting with its name in the configuration, for example scheduler=source-hash; without value: the default
    #[arg(value_name = "FIELD=VALUE")]
    settings: Vec<String>,
}

impl Settings {
    pub(super) fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Writes them into an entry of the configuration. The error is for people.
    pub(super) fn write<T: JsonSchema>(&self, entry: &mut Value) -> Result<(), String> {
        let schema = schema_for!(T).to_value();
        self.settings.iter().try_for_each(|setting| {
            let (path, text) = setting.split_once('=').ok_or_else(|| {
                format!("{setting} is no setting: write FIELD=VALUE, for example weight=50")
            })?;
            write(&schema, &schema, entry, path, path, text)
        })
    }
}

fn write(
    whole: &Value,
    schema: &Value,
    entry: &mut Value,
    path: &str,
    full_path: &str,
    text: &str,
) -> Result<(), String> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let properties = resolved(whole, schema).get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| {
        format!("{full_path}: there is nothing below it; leave out the last dot and what follows")
    })?;
    let property = properties.get(name).ok_or_else(|| {
        let known: Vec<_> = properties.keys().map(String::as_str).collect();
        format!("{full_path}: there is no such setting; known are {}", known.join(", "))
    })?;
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    match rest {
        Some(rest) => write(whole, property, &mut entry[name], rest, full_path, text),
        None if text.is_empty() => {
            entry.as_object_mut().and_then(|entry| entry.remove(name));
            Ok(())
        }
        None => {
            entry[name] = value(whole, property, text).map_err(|why| format!("{full_path}={text}: {why}"))?;
            Ok(())
        }
    }
}

/// What a schema says, behind a reference or an "or nothing".
fn resolved<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    let options = schema.get("anyOf").and_then(Value::as_array);
    let schema =
        options.and_then(|options| options.iter().find(|one| one.get("$ref").is_some())).unwrap_or(schema);
    match schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => whole.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

fn value(whole: &Value, property: &Value, text: &str) -> Result<Value, String> {
    let schema = resolved(whole, property);
    let is = |name: &str| match &schema["type"] {
        Value::String(kind) => kind == name,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    if is("integer") {
        return text.parse::<i64>().map(Value::from).map_err(|_| "give a whole number".into());
    }
    if is("boolean") {
        return text.parse::<bool>().map(Value::from).map_err(|_| "give true or false".into());
    }
    if is("array") {
        if schema["items"]["type"] != "string" {
            return Err("it has parts of its own, which have their own commands: see `lbd help`".into());
        }
        return Ok(text.split(',').map(|part| Value::from(part.trim())).collect());
    }
    if is("object") {
        return Err(
            "it has settings below it: write them with a dot, for example persistence.enabled=false".into()
        );
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::document::VirtualServiceDocument;

    fn written(settings: &[&str]) -> Result<Value, String> {
        let mut entry = json!({"label": "A", "fallback": "refuse"});
        let settings = Settings { settings: settings.iter().map(|text| (*text).to_owned()).collect() };
        settings.write::<VirtualServiceDocument>(&mut entry).map(|()| entry)
    }

    #[test]
    fn each_setting_gets_the_type_of_its_field() {
        let settings = ["ports=2001", "addresses=192.0.2.1, fd00::1", "enabled=false", "fallback="];
        assert_eq!(
            written(&settings).unwrap(),
            json!({"label": "A", "ports": "2001", "addresses": ["192.0.2.1", "fd00::1"], "enabled": false})
        );
        let nested = written(&["persistence.timeout_seconds=600", "persistence.enabled=true"]).unwrap();
        assert_eq!(nested["persistence"], json!({"timeout_seconds": 600, "enabled": true}));
    }

    #[test]
    fn mistakes_name_the_setting_and_what_to_write() {
        for (setting, words) in [
            ("ports", "FIELD=VALUE"),
            ("port=1", "known are"),
            ("enabled=off", "true or false"),
            ("persistence.timeout_seconds=5min", "whole number"),
            ("persistence=true", "with a dot"),
            ("persistence.x=1", "ipv6_prefix_length, timeout_seconds"),
            ("ports.x=1", "nothing below"),
            ("real_server=x", "own commands"),
        ] {
            let why = written(&[setting]).unwrap_err();
            assert!(why.contains(words), "{setting}: {why}");
        }
    }
}
