//! What was meant by a name that does not exist.

/// The candidate with the fewest edits, if those are few for its length.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let scored = candidates.map(|candidate| (distance(&given, &candidate.to_ascii_lowercase()), candidate));
    let (edits, best) = scored.min()?;
    (edits <= best.len() / 3 + 1).then_some(best)
}

/// How many letters have to be inserted, removed or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, from) in one.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, to) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
