//! Names of exported things: unique, and no keyword.

use std::collections::HashSet;

/// Words that can't name a constant: the language's, those of its types, and what the file itself mentions.
const RESERVED: &str = "\
    arguments await break case catch class const continue debugger default delete do else enum eval export extends \
    false finally for function if implements import in instanceof interface let new null package private protected \
    public return static super switch this throw true try typeof undefined var void while with yield \
    any bigint boolean never number object string symbol unknown \
    ev module Array Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array";

/// Hands out names.
#[derive(Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// `wanted`, with as many `_` behind it as make it free.
    pub(crate) fn take(&mut self, wanted: &str) -> String {
        let mut name = wanted.rsplit('.').next().unwrap_or(wanted).to_owned();
        while RESERVED.split_whitespace().any(|word| word == name) || self.taken.contains(&name) {
            name.push('_');
        }
        self.taken.insert(name.clone());
        name
    }
}

/// `walk_to` as `WalkTo`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_doubles_get_an_underscore() {
        let mut names = Names::default();
        assert_eq!(names.take("delete"), "delete_");
        assert_eq!(names.take("evertick.Player"), "Player");
        assert_eq!(names.take("Player"), "Player_");
        assert_eq!(pascal("walk_to"), "WalkTo");
    }
}
