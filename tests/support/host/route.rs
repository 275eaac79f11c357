//! Route templates as ASP.NET matches them, as far as functions use them.

use std::collections::BTreeMap;

/// A route, with its prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter {
        name: String,
        is_optional: bool,
        constraints: Vec<String>,
    },
    Rest(String),
}

/// Constraints that are known here.
const CONSTRAINTS: [&str; 6] = ["int", "long", "bool", "alpha", "guid", "datetime"];

impl Template {
    /// Reads `groups/{group}/{part?}`, `{*rest}`, `{id:int}`.
    ///
    /// # Errors
    /// What makes the function fail to load.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("the route '{text}': {why}"));
        let mut parts = Vec::new();
        let segments: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        for (index, segment) in segments.iter().enumerate() {
            let is_last = index + 1 == segments.len();
            let Some(inside) = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            else {
                if segment.contains(['{', '}', '*', '?']) {
                    return refused("an unbalanced or mixed segment");
                }
                parts.push(Part::Literal((*segment).to_owned()));
                continue;
            };
            if let Some(name) = inside.strip_prefix('*') {
                if !is_last {
                    return refused("a catch-all parameter can only appear as the last segment");
                }
                parts.push(Part::Rest(name.trim_start_matches('*').to_owned()));
                continue;
            }
            let is_optional = inside.ends_with('?');
            let mut words = inside.trim_end_matches('?').split(':').map(str::to_owned);
            let name = words.next().unwrap_or_default();
            let constraints: Vec<String> = words.collect();
            if name.is_empty()
                || constraints
                    .iter()
                    .any(|word| !CONSTRAINTS.contains(&word.as_str()))
            {
                return refused(
                    "a parameter without a name, or with a constraint that is not known here",
                );
            }
            parts.push(Part::Parameter {
                name,
                is_optional,
                constraints,
            });
        }
        Ok(Self(parts))
    }

    /// The parameters, where this path matches. Case does not matter, nor does a slash at the end; parameters are
    /// decoded.
    pub fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let path = path.trim_start_matches('/');
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = if path.is_empty() {
            Vec::new()
        } else {
            path.split('/').collect()
        };
        let mut found = BTreeMap::new();
        for (index, part) in self.0.iter().enumerate() {
            let segment = segments.get(index).map(|segment| decode(segment));
            match (part, segment) {
                (Part::Rest(name), _) => {
                    let rest = segments.get(index..).unwrap_or_default().join("/");
                    found.insert(name.clone(), decode(&rest));
                    return Some(found);
                }
                (Part::Literal(word), Some(segment)) if word.eq_ignore_ascii_case(&segment) => {}
                (
                    Part::Parameter {
                        name, constraints, ..
                    },
                    Some(segment),
                ) if !segment.is_empty()
                    && constraints.iter().all(|word| holds(word, &segment)) =>
                {
                    found.insert(name.clone(), segment);
                }
                (
                    Part::Parameter {
                        is_optional: true, ..
                    },
                    None,
                ) => {}
                _ => return None,
            }
        }
        (segments.len() <= self.0.len()).then_some(found)
    }
}

fn holds(constraint: &str, value: &str) -> bool {
    match constraint {
        "int" => value.parse::<i32>().is_ok(),
        "long" => value.parse::<i64>().is_ok(),
        "bool" => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
        "alpha" => value.chars().all(|letter| letter.is_ascii_alphabetic()),
        "guid" => uuid::Uuid::try_parse(value).is_ok(),
        _ => value.parse::<jiff::civil::DateTime>().is_ok(),
    }
}

/// Percent signs decoded, those of a slash apart: the server leaves them.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut index = 0;
    while index < bytes.len() {
        let hex = text
            .get(index + 1..index + 3)
            .filter(|_| bytes[index] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if byte != b'/' => {
                decoded.push(byte);
                index += 3;
            }
            _ => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
