//! A row as the table service writes it: OData JSON with annotations.

use serde_json::{Map, Value};

use super::rows::{self, Properties, Row};

/// The one partition: state and history of a move land in one transaction, so they share it.
pub const PARTITION: &str = "understudy";
/// Properties that the service adds.
const SYSTEM: [&str; 3] = ["PartitionKey", "RowKey", "Timestamp"];

/// The body of a write.
#[must_use]
pub fn body(key: &str, properties: &Properties) -> Value {
    let mut entity = Map::with_capacity(properties.len() + 2);
    entity.insert("PartitionKey".to_owned(), Value::from(PARTITION));
    entity.insert("RowKey".to_owned(), Value::from(key));
    for (name, value) in properties {
        match rows::base64_text(value) {
            Some(text) => {
                entity.insert(format!("{name}@odata.type"), Value::from("Edm.Binary"));
                entity.insert(name.clone(), Value::from(text));
            }
            None => {
                entity.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(entity)
}

/// The row of an entity; the ETag of its answer, or the one that a query puts into it. `None` for
/// what has no row key, which no table service sends.
#[must_use]
pub fn row(entity: Value, etag: Option<&str>) -> Option<Row> {
    let Value::Object(mut entity) = entity else {
        return None;
    };
    let key = entity.get("RowKey")?.as_str()?.to_owned();
    let etag = etag
        .or_else(|| entity.get("odata.etag").and_then(Value::as_str))
        .unwrap_or_default()
        .to_owned();
    let binary: Vec<String> = entity
        .iter()
        .filter(|(_, kind)| kind.as_str() == Some("Edm.Binary"))
        .filter_map(|(name, _)| name.strip_suffix("@odata.type"))
        .map(str::to_owned)
        .collect();
    for name in binary {
        if let Some(value) = entity.get_mut(&name)
            && let Some(text) = value.as_str()
        {
            *value = rows::binary_from_base64(text);
        }
    }
    entity.retain(|name, _| !name.contains("odata.") && !SYSTEM.contains(&name.as_str()));
    Some(Row {
        key,
        etag,
        properties: entity,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_comes_back_without_what_the_service_adds() {
        let read = row(
            json!({
                "odata.metadata": "m", "odata.etag": "W/\"1\"", "odata.type": "t",
                "PartitionKey": PARTITION, "RowKey": "k", "Timestamp": "t", "Timestamp@odata.type": "Edm.DateTime",
                "text": "x", "count": 3, "long": "5", "long@odata.type": "Edm.Int64",
                "packed": "AAE=", "packed@odata.type": "Edm.Binary",
            }),
            None,
        )
        .unwrap();
        assert_eq!((read.key.as_str(), read.etag.as_str()), ("k", "W/\"1\""));
        let mut expected = Properties::new();
        expected.insert("text".to_owned(), json!("x"));
        expected.insert("count".to_owned(), json!(3));
        expected.insert("long".to_owned(), json!("5"));
        expected.insert("packed".to_owned(), rows::binary(&[0, 1]));
        assert_eq!(read.properties, expected);
    }

    #[test]
    fn a_binary_property_is_sent_with_its_type() {
        let mut properties = Properties::new();
        properties.insert("packed".to_owned(), rows::binary(&[0, 1]));
        let sent = body("k", &properties);
        assert_eq!(sent["packed"], "AAE=");
        assert_eq!(sent["packed@odata.type"], "Edm.Binary");
    }
}
