//! Names as Rust spells them.

/// The name of a field, such as `leader_epoch` for `LeaderEpoch`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        let after_small = index > 0 && !letters[index - 1].is_uppercase();
        // The last capital of several starts a word: `TopicIDsByName`.
        let before_small = index > 0 && letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_small || before_small) {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
