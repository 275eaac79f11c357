//! A source file without its comments, texts and tests: just enough of a lexer for the rules here.

/// What is left of a Rust source when comments and the contents of text and character literals are
/// blanked. Lines stay where they were.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(
                chars[at..end]
                    .iter()
                    .map(|&c| if c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins here ends; here, if none does.
fn skip(chars: &[char], at: usize) -> usize {
    let starts = |text: &str| {
        text.chars()
            .enumerate()
            .all(|(offset, c)| chars.get(at + offset) == Some(&c))
    };
    if starts("//") {
        return find(chars, at, |rest| rest[0] == '\n');
    }
    if starts("/*") {
        return (find(chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2).min(chars.len());
    }
    match chars[at] {
        '"' => quoted(chars, at, '"'),
        'r' if !after_word(chars, at) => raw(chars, at).unwrap_or(at),
        '\'' => character(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, here: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len())
        .find(|&at| here(&chars[at..]))
        .unwrap_or(chars.len())
}

fn after_word(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| chars[before]);
    before.is_some_and(|c| (c.is_alphanumeric() && c != 'b') || c == '_')
}

fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

fn raw(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let end = find(chars, at + 2 + hashes, |rest| rest.starts_with(&closing));
    Some((end + closing.len()).min(chars.len()))
}

/// A character literal; a lifetime is left alone.
fn character(chars: &[char], at: usize) -> usize {
    let is_literal = chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'');
    if is_literal {
        quoted(chars, at, '\'')
    } else {
        at
    }
}

/// The code without the items that exist in tests only.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    while let Some(from) = out.find(MARK) {
        let to = from + item_end(&out[from + MARK.len()..]) + MARK.len();
        let blank: String = out[from..to]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(from..to, &blank);
    }
    out
}

/// Where the item that begins here ends: at its closing brace, or at a semicolon before any brace.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Name, first line (from 1) and length in lines of every function that has a body.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = code[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        let end = item_end(&code[at..]);
        let body = &code[at..at + end];
        if body.ends_with('}') {
            let line = code[..at].matches('\n').count() + 1;
            found.push((name, line, body.matches('\n').count() + 1));
        }
    }
    found
}

/// The first name of every path that begins at the crate's root, with its line. `depth` is how many
/// `super` lead there from the file's own top.
pub fn rooms_named(code: &str, depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        for name in heads(&code[at + "crate::".len()..]) {
            found.push((name, line));
        }
    }
    let up = "super::".repeat(depth);
    for (at, _) in code.match_indices(&up) {
        let line = code[..at].matches('\n').count() + 1;
        let rest = code[at + up.len()..].trim_start_matches("super::");
        for name in heads(rest) {
            found.push((name, line));
        }
    }
    found
}

/// `a::b` gives `a`; `{a::b, c}` gives `a` and `c`.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    if !path.starts_with('{') {
        return vec![word(path)];
    }
    let mut found = vec![word(&path[1..])];
    let mut depth = 0_usize;
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => found.push(word(&path[at + 1..])),
            _ => {}
        }
    }
    found
}

#[test]
fn comments_and_texts_are_blanked_and_lines_stay() {
    let text =
        "a // crate::x\n/* crate::\ny */ b \"crate::z\\\"\" r#\"\"crate::\"# '\"' 'a: &'static";
    let code = code(text);
    assert!(!code.contains("crate"), "{code}");
    assert_eq!(code.matches('\n').count(), 2);
    assert!(
        code.contains('b') && code.contains("'a: &'static"),
        "{code}"
    );
}

#[test]
fn test_items_are_left_out() {
    let code =
        "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { x } }\n#[cfg(test)]\nuse c;\nfn d() {}";
    let left = without_tests(code);
    assert!(left.contains("fn a") && left.contains("fn d"));
    assert!(!left.contains("fn b") && !left.contains("use c"));
}

#[test]
fn functions_are_measured_from_their_name_to_their_brace() {
    let code = "trait T { fn no(&self); }\n\nfn yes() {\n  if x { y }\n}\n";
    assert_eq!(functions(code), [("yes".to_owned(), 3, 3)]);
}

#[test]
fn rooms_are_found_alone_in_groups_and_through_super() {
    let code = "use crate::model::x;\nuse crate::{adapters::{a, b}, sim};\nuse super::super::cli;";
    let names: Vec<String> = rooms_named(code, 2)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["model", "adapters", "sim", "cli"]);
}
