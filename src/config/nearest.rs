//! The known name that a misspelt one was probably meant to be.

/// The candidate with the fewest edits, if they are few for its length.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long names are no typing mistakes, and would make the comparison slow.
    if name.len() > 64 {
        return None;
    }
    let normal = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let name = normal(name);
    candidates
        .into_iter()
        .map(|candidate| (edits(&name, &normal(candidate)), candidate))
        .filter(|(edits, candidate)| *edits <= (candidate.len() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements, and swaps of neighbours, from one text to the other (optimal string
/// alignment).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let cell = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut two_above: Vec<usize> = Vec::new();
    let mut last = None;
    for (line, letter) in from.chars().enumerate() {
        let mut row = vec![line + 1];
        let mut left = None;
        for (column, other) in to.iter().copied().enumerate() {
            let replaced = cell(&above, column) + usize::from(letter != other);
            let shifted = cell(&row, column).min(cell(&above, column + 1)) + 1;
            let swapped = match (last, left) {
                (Some(last), Some(left)) if last == other && left == letter && column > 0 => {
                    cell(&two_above, column - 1) + 1
                }
                _ => usize::MAX,
            };
            row.push(replaced.min(shifted).min(swapped));
            left = Some(other);
        }
        two_above = std::mem::replace(&mut above, row);
        last = Some(letter);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (from, to, count) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("hodl", "hold", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edits(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let keys = ["probe_interval", "probe_timeout", "hold", "region"];
        assert_eq!(nearest("probe_intervall", keys), Some("probe_interval"));
        assert_eq!(nearest("probeTimeout", keys), Some("probe_timeout"));
        assert_eq!(nearest("Probe-Timeout", keys), Some("probe_timeout"));
        assert_eq!(nearest("regoin", keys), Some("region"));
        assert_eq!(nearest("colour", keys), None);
    }
}
