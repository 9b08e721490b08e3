//! "Did you mean": the known word nearest to a misspelt one.

/// The nearest of `known`, if any is near enough to be meant: at most a third of the word differs (at least one
/// letter), or one of the two begins with the other.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(word, candidate);
            let meant = distance <= allowed || begins(word, candidate) || begins(candidate, word);
            meant.then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Whether `whole` begins with `part`, and `part` is long enough to say something.
fn begins(whole: &str, part: &str) -> bool {
    part.len() >= 3 && whole.starts_with(part)
}

/// How many letters must be changed, added, left out or swapped with their neighbour to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut now = vec![row];
        for column in 1..=to.len() {
            let changed = usize::from(from[row - 1] != to[column - 1]);
            let mut best = (last[column] + 1).min(now[column - 1] + 1).min(last[column - 1] + changed);
            let swapped = row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
            if swapped {
                let before: &Vec<usize> = &before;
                best = best.min(before[column - 2] + 1);
            }
            now.push(best);
        }
        before = std::mem::replace(&mut last, now);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances_count_letters_changed_added_left_out_and_swapped() {
        for (from, to, expected) in [("", "", 0), ("", "ab", 2), ("max", "mix", 1), ("backend", "bakcend", 1)] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_misspelt_key_finds_its_neighbour_and_a_foreign_one_finds_none() {
        let known = ["token_file", "token_env", "url", "scopes"];
        assert_eq!(nearest("scope", known), Some("scopes"));
        assert_eq!(nearest("tokenfile", known), Some("token_file"));
        assert_eq!(nearest("token", known), Some("token_env"));
        assert_eq!(nearest("colour", known), None);
    }
}
