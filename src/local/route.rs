//! Which function a request reaches: routes are tried in the order of function names, the first that matches wins.

/// The routes of all HTTP functions, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    function: String,
    methods: Vec<String>,
    template: Template,
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
        optional: bool,
        constraints: Vec<Constraint>,
    },
    Rest,
}

/// What a parameter's value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Constraint {
    Whole,
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
    /// When the template is malformed, or another function has the same route for the same methods.
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
            .find(|row| row.template == template && overlaps(row))
        {
            return Err(format!(
                "the route \"{route}\" is already {}'s",
                row.function
            ));
        }
        self.rows.push(Row {
            function: function.to_owned(),
            methods: methods.to_vec(),
            template,
        });
        // The host orders by name without case.
        self.rows
            .sort_by_key(|row| row.function.to_ascii_lowercase());
        Ok(())
    }

    /// The function that a request reaches. None is 404, also where only the method is another.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<&str> {
        self.rows
            .iter()
            .find(|row| {
                (row.methods.is_empty() || row.methods.iter().any(|allowed| allowed == method))
                    && row.template.matches(path)
            })
            .map(|row| row.function.as_str())
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
        let segments: Vec<Segment> = text
            .split('/')
            .filter(|part| !part.is_empty())
            .map(Segment::parse)
            .collect::<Result<_, _>>()
            .map_err(|why| format!("the route \"{text}\": {why}"))?;
        let rest_is_inside = segments
            .iter()
            .rev()
            .skip(1)
            .any(|segment| *segment == Segment::Rest);
        if rest_is_inside {
            return Err(format!("the route \"{text}\": a catch-all must come last"));
        }
        Ok(Self { segments })
    }

    /// Whether a path, without its query, matches. Case is ignored, and so is a slash at the end.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut parts = if path.is_empty() {
            Vec::new()
        } else {
            path.split('/').collect()
        }
        .into_iter();
        for segment in &self.segments {
            let fits = match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::Literal(word), Some(part)) => word.eq_ignore_ascii_case(part),
                (Segment::Parameter { constraints, .. }, Some(part)) => {
                    !part.is_empty() && constraints.iter().all(|constraint| constraint.holds(part))
                }
                (Segment::Parameter { optional, .. }, None) => *optional,
                (Segment::Literal(_), None) => false,
            };
            if !fits {
                return false;
            }
        }
        parts.next().is_none()
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(inner) = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
        else {
            return if text.contains(['{', '}']) {
                Err(format!(
                    "\"{text}\" mixes text and parameters, which needs the real host"
                ))
            } else {
                Ok(Self::Literal(text.to_ascii_lowercase()))
            };
        };
        if inner.starts_with('*') {
            return Ok(Self::Rest);
        }
        let (inner, optional) = match inner.strip_suffix('?') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let mut parts = split_constraints(inner).into_iter();
        if parts.next().is_none_or(str::is_empty) {
            return Err("a parameter needs a name".to_owned());
        }
        Ok(Self::Parameter {
            optional,
            constraints: parts.map(Constraint::parse).collect::<Result<_, _>>()?,
        })
    }
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
            "int" | "long" => Ok(Self::Whole),
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
            Self::Whole => value.parse::<i64>().is_ok(),
            Self::Truth => value.parse::<bool>().is_ok(),
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
