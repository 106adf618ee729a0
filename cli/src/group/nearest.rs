//! The names that somebody may have meant.

/// How many names to offer.
const OFFERED: usize = 3;

/// The end of a sentence that says that there is no `name`: `; did you mean ..?`, or nothing.
pub(super) fn hint(name: &str, known: &[&str]) -> String {
    let mut near: Vec<(usize, &str)> = known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| {
            let within = name.chars().count().max(candidate.chars().count()) / 3;
            *distance <= within.max(1) || candidate.contains(name) || name.contains(candidate)
        })
        .collect();
    near.sort_unstable();
    near.truncate(OFFERED);
    match near.as_slice() {
        [] => String::new(),
        _ => {
            let names: Vec<&str> = near.iter().map(|(_, name)| *name).collect();
            format!("; did you mean {}?", names.join(" or "))
        }
    }
}

/// How many letters must be put in, taken out or changed to get from one to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, candidate) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
