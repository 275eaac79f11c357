//! The JSON Schema of the settings file, made from [`super::raw`].

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw;

/// JSON Schema (2020-12) of `understudy.toml`.
#[must_use]
pub fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<raw::File>()
        .to_value();
    without_null(&mut schema);
    if let Some(title) = schema.get_mut("title") {
        *title = "understudy.toml".into();
    }
    // A group that does not say inherits; the numbers of `[policy]` are not its defaults.
    let group = "/properties/groups/items/properties/policy/properties";
    if let Some(Value::Object(keys)) = schema.pointer_mut(group) {
        for key in keys.values_mut().filter_map(Value::as_object_mut) {
            key.remove("default");
        }
    }
    schema
}

/// TOML has no null: optional keys are left out.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(keys) => {
            if let Some(Value::Array(kinds)) = keys.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    let only = only.clone();
                    keys.insert("type".to_owned(), only);
                }
            }
            if keys.get("default").is_some_and(Value::is_null) {
                keys.remove("default");
            }
            if let Some(Value::Array(mut choices)) = keys.remove("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                match <[Value; 1]>::try_from(choices) {
                    Ok([Value::Object(only)]) => {
                        for (key, value) in only {
                            keys.entry(key).or_insert(value);
                        }
                    }
                    Ok([only]) => {
                        keys.insert("anyOf".to_owned(), vec![only].into());
                    }
                    Err(several) => {
                        keys.insert("anyOf".to_owned(), several.into());
                    }
                }
            }
            keys.values_mut().for_each(without_null);
        }
        _ => {}
    }
}
