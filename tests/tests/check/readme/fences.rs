//! What a README's fences hold: examples, which are whole Corefiles, and the files that these name.

/// An example: the line of its fence, and its text.
pub(in crate::check) type Example = (usize, String);

/// The fences of a README that mean something here.
#[derive(Debug, Default)]
pub(super) struct Fences {
    pub examples: Vec<Example>,
    /// Path and text of each file that is shown, `~~~ LANGUAGE PATH`.
    pub files: Vec<(String, String)>,
}

/// The examples of a README.
pub(in crate::check) fn examples(readme: &str) -> Vec<Example> {
    Fences::of(readme).examples
}

enum Open {
    Example,
    File,
    Other,
}

impl Fences {
    /// Reads a README. A fence ends at the mark that it began with.
    pub(super) fn of(readme: &str) -> Self {
        let mut found = Self::default();
        let mut open: Option<(Open, &str)> = None;
        for (number, line) in readme.lines().enumerate() {
            let bare = line.trim();
            match &open {
                Some((_, mark)) if bare == *mark => open = None,
                Some((Open::Example, _)) => push(&mut found.examples.last_mut().expect("a fence is open").1, line),
                Some((Open::File, _)) => push(&mut found.files.last_mut().expect("a fence is open").1, line),
                Some((Open::Other, _)) => {}
                None => open = ["~~~", "```"].into_iter().find_map(|mark| found.opens(number + 1, mark, bare)),
            }
        }
        found
    }

    fn opens<'m>(&mut self, number: usize, mark: &'m str, line: &str) -> Option<(Open, &'m str)> {
        let said: Vec<&str> = line.strip_prefix(mark)?.split_whitespace().collect();
        let kind = match said.as_slice() {
            ["corefile"] => {
                self.examples.push((number, String::new()));
                Open::Example
            }
            [_, path] => {
                self.files.push(((*path).to_owned(), String::new()));
                Open::File
            }
            _ => Open::Other,
        };
        Some((kind, mark))
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[test]
fn examples_and_files_are_told_from_all_else() {
    let readme = "a\n~~~ hosts /etc/hosts\n192.0.2.1 a\n~~~\n~~~ txt\n~~~ no fence\n~~~\n\n```corefile\n. {\n}\n```\n";
    let found = Fences::of(readme);
    assert_eq!(found.examples, [(9, ". {\n}\n".to_owned())]);
    assert_eq!(found.files, [("/etc/hosts".to_owned(), "192.0.2.1 a\n".to_owned())]);
}
