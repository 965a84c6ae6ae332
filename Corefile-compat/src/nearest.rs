//! Finds the valid word that a mistyped one was most likely meant to be, for `did you mean`.

/// Words longer than this are not compared: nobody mistypes a directive of that length.
const COMPARED_LENGTH_MAX: usize = 64;

/// The valid word closest to `word`, if it is close enough that a person may have meant it.
pub(crate) fn nearest(word: &str, valid: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
    if word.is_empty() || word.len() > COMPARED_LENGTH_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    valid
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.as_ref().to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.as_ref().len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_ref().to_owned())
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().take(COMPARED_LENGTH_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for row in 1..=a.len() {
        let mut current = vec![row];
        for column in 1..=b.len() {
            let replaced = above[column - 1] + usize::from(a[row - 1] != b[column - 1]);
            let mut best = replaced.min(above[column] + 1).min(current[column - 1] + 1);
            let swapped = row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let valid = ["forward", "cache", "health", "hosts"];
        assert_eq!(nearest("foward", valid).as_deref(), Some("forward"));
        assert_eq!(nearest("forwrad", valid).as_deref(), Some("forward"));
        assert_eq!(nearest("Cache", valid).as_deref(), Some("cache"));
        assert_eq!(nearest("host", valid).as_deref(), Some("hosts"));
        assert_eq!(nearest("aaa", ["A", "AAAA", "SOA"]).as_deref(), Some("AAAA"));
    }

    #[test]
    fn a_different_word_is_not() {
        assert_eq!(nearest("kubernetes", ["forward", "cache"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest("x", ["a"]), None);
    }
}
