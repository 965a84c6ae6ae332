//! Thirty rules of `rewrite` and `template`, as they stand in Corefiles; none is for a name below `example` but the last, whose
//! pattern is tried there and does not fit.

/// The lines, indented as directives of a block.
pub(super) fn text() -> String {
    let mut text = String::new();
    for index in 0..8 {
        text += &format!("    rewrite name exact old{index}.ruled.test new{index}.ruled.test\n");
    }
    for index in 0..4 {
        text += &format!("    rewrite name suffix .s{index}.ruled.test .t{index}.ruled.test answer auto\n");
        text += &format!("    rewrite name prefix p{index}-ruled- q{index}-ruled-\n");
    }
    text += "    rewrite name substring ruled-old ruled-new\n";
    text += "    rewrite name regex (.*)\\.r1\\.ruled\\.test {1}.r2.ruled.test answer auto\n";
    text += "    rewrite name regex ^ruled-([a-z]+)-([0-9]+)\\.(.*)$ {2}-{1}.{3}\n";
    text += "    rewrite ttl suffix .ruled.test 30-300\n";
    text += "    rewrite type MX TXT\n";
    text += "    template IN A ruled.test {\n";
    text += "        match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]ruled[.]test[.]$\n";
    text += "        answer \"{{ .Name }} 60 IN A 192.0.{{ .Group.a }}.{{ .Group.b }}\"\n";
    text += "        fallthrough\n    }\n";
    text += "    template IN A example {\n";
    text += "        match \"^(([a-z])+.)+[A-Z]([a-z])+$\"\n";
    text += "        answer \"{{ .Name }} 60 IN A 192.0.2.1\"\n";
    text += "        fallthrough\n    }\n";
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_thirty_lines_or_so() {
        let count = super::text().lines().count();
        assert!((30..=32).contains(&count), "{count}");
    }
}
