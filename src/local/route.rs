//! Which function a request reaches: routes are tried in the order of function names, the first that matches wins.

use std::collections::BTreeMap;

/// The routes of all HTTP functions, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    function: String,
    methods: Vec<String>,
    route: String,
    template: Template,
}

/// What a request reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The route's parameters, decoded.
    pub parameters: BTreeMap<String, String>,
}

/// An ASP.NET route template, as far as functions use them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        optional: bool,
        constraints: Vec<Constraint>,
    },
    Rest(String),
}

/// What a parameter's value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Constraint {
    Whole,
    WholeLong,
    Truth,
    Letters,
    Guid,
    AtLeast(usize),
    AtMost(usize),
    OneOf(Vec<String>),
}

impl RouteTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function's route below the prefix.
    ///
    /// # Errors
    /// When the template is malformed, or another function has the same route for the same methods. The host compares
    /// routes as texts: two that differ in a parameter's name are no conflict, and the first by name wins.
    pub fn add(
        &mut self,
        function: &str,
        prefix: &str,
        route: &str,
        methods: &[String],
    ) -> Result<(), String> {
        let template = Template::parse(format!("{prefix}/{route}").trim_matches('/'))?;
        let overlaps = |row: &Row| {
            row.methods.is_empty()
                || methods.is_empty()
                || row.methods.iter().any(|method| methods.contains(method))
        };
        if let Some(row) = self
            .rows
            .iter()
            .find(|row| row.route.eq_ignore_ascii_case(route) && overlaps(row))
        {
            return Err(format!(
                "the route \"{route}\": The route specified conflicts with the route defined by function '{}'.",
                row.function
            ));
        }
        self.rows.push(Row {
            function: function.to_owned(),
            methods: methods.to_vec(),
            route: route.to_owned(),
            template,
        });
        // The host orders by name without case.
        self.rows.sort_by_key(|row| row.function.to_lowercase());
        Ok(())
    }

    /// The function that a request reaches. None is 404, also where only the method is another.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        self.rows.iter().find_map(|row| {
            let is_method = row.methods.is_empty()
                || row
                    .methods
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(method));
            let parameters = row.template.matches(path).filter(|_| is_method)?;
            Some(Found {
                function: &row.function,
                parameters,
            })
        })
    }

    /// The functions, in the order in which they are tried.
    #[must_use]
    pub fn functions(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.function.as_str()).collect()
    }
}

impl Template {
    /// Reads a template such as `groups/{group}/{order}`.
    ///
    /// # Errors
    /// What is malformed, or needs the real host.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: String| format!("the route \"{text}\": {why}");
        let segments: Vec<Segment> = text
            .split('/')
            .filter(|part| !part.is_empty())
            .map(Segment::parse)
            .collect::<Result<_, _>>()
            .map_err(refused)?;
        let mut names: Vec<String> = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            let (Segment::Parameter { name, .. } | Segment::Rest(name)) = segment else {
                continue;
            };
            if matches!(segment, Segment::Rest(_)) && index + 1 < segments.len() {
                return Err(refused("a catch-all must come last".to_owned()));
            }
            if names.contains(&name.to_lowercase()) {
                return Err(refused(format!("the parameter {name} comes twice")));
            }
            names.push(name.to_lowercase());
        }
        Ok(Self { segments })
    }

    /// The parameters where a path, without its query, matches. Case is ignored, and so is a slash at the end.
    #[must_use]
    pub fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = if path.is_empty() {
            Vec::new()
        } else {
            path.split('/').collect()
        };
        let mut found = BTreeMap::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let part = parts.get(index).map(|part| decode(part));
            match (segment, part) {
                (Segment::Rest(name), _) => {
                    let rest = parts.get(index..).unwrap_or_default().join("/");
                    found.insert(name.clone(), decode(&rest));
                    return Some(found);
                }
                (Segment::Literal(word), Some(part)) if word.eq_ignore_ascii_case(&part) => {}
                (
                    Segment::Parameter {
                        name, constraints, ..
                    },
                    Some(part),
                ) if !part.is_empty()
                    && constraints.iter().all(|constraint| constraint.holds(&part)) =>
                {
                    found.insert(name.clone(), part);
                }
                (Segment::Parameter { optional: true, .. }, None) => {}
                _ => return None,
            }
        }
        (parts.len() <= self.segments.len()).then_some(found)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(inner) = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
        else {
            return if text.contains(['{', '}', '*', '?']) {
                Err(format!(
                    "\"{text}\" has unbalanced brackets, or mixes text and parameters, which needs the real host"
                ))
            } else {
                Ok(Self::Literal(text.to_owned()))
            };
        };
        if inner.starts_with('*') {
            return Ok(Self::Rest(inner.trim_start_matches('*').to_owned()));
        }
        let (inner, optional) = match inner.strip_suffix('?') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let mut parts = split_constraints(inner).into_iter();
        let name = parts.next().unwrap_or_default();
        if name.is_empty() || name.contains(['{', '}', '*', '?', '=']) {
            return Err(format!(
                "\"{text}\": a parameter needs a name; defaults need the real host"
            ));
        }
        Ok(Self::Parameter {
            name: name.to_owned(),
            optional,
            constraints: parts.map(Constraint::parse).collect::<Result<_, _>>()?,
        })
    }
}

/// Percent signs decoded, those of a slash apart: the server leaves them.
#[must_use]
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

/// Splits `name:int:min(1)` at its colons, but not at those inside brackets.
fn split_constraints(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ':' && depth == 0
    })
    .collect()
}

impl Constraint {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once('(') {
            Some((name, argument)) => (name, argument.strip_suffix(')').unwrap_or(argument)),
            None => (text, ""),
        };
        let number = || {
            argument
                .parse()
                .map_err(|_| format!("\"{text}\" needs a number"))
        };
        match name {
            "int" => Ok(Self::Whole),
            "long" => Ok(Self::WholeLong),
            "bool" => Ok(Self::Truth),
            "alpha" => Ok(Self::Letters),
            "guid" => Ok(Self::Guid),
            "minlength" => Ok(Self::AtLeast(number()?)),
            "maxlength" => Ok(Self::AtMost(number()?)),
            "regex" => alternatives(argument)
                .map(Self::OneOf)
                .ok_or_else(|| format!("\"{text}\": only a choice of words, ^(a|b)$, works here")),
            _ => Err(format!("the constraint \"{text}\" needs the real host")),
        }
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Whole => value.parse::<i32>().is_ok(),
            Self::WholeLong => value.parse::<i64>().is_ok(),
            Self::Truth => value.to_ascii_lowercase().parse::<bool>().is_ok(),
            Self::Letters => value.chars().all(|letter| letter.is_ascii_alphabetic()),
            Self::Guid => uuid::Uuid::try_parse(value).is_ok(),
            Self::AtLeast(length) => value.chars().count() >= *length,
            Self::AtMost(length) => value.chars().count() <= *length,
            Self::OneOf(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
        }
    }
}

/// The words of `^(a|b|c)$`.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let words = pattern.strip_prefix("^(")?.strip_suffix(")$")?;
    words
        .split('|')
        .map(|word| {
            let plain = !word.is_empty()
                && word
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
            plain.then(|| word.to_owned())
        })
        .collect()
}
