//! One test per rule of the grammar, for and against, and the places that errors name.

use super::*;
use crate::host::Memory;

/// What a text means, in one line per statement, and what was reported.
fn read_with(text: &str, host: &Memory) -> (String, String) {
    let mut report = Report::new();
    let corefile = parse("dir/Corefile", text, host, &mut report);
    let mut shown = String::new();
    for block in &corefile.blocks {
        let keys: Vec<String> =
            block.keys.iter().map(|key| format!("{}://{}:{}", key.scheme, key.zone, key.port_or(53))).collect();
        shown.push_str(&format!("<{}>", keys.join(" ")));
        show(&block.statements, &mut shown);
    }
    (shown, report.to_string())
}

fn show(statements: &[Statement], shown: &mut String) {
    for statement in statements {
        shown.push_str(&format!("[{}", statement.name));
        for argument in &statement.arguments {
            shown.push_str(&format!("|{argument}"));
        }
        if statement.body.is_some() {
            shown.push('{');
            show(statement.properties(), shown);
            shown.push('}');
        }
        shown.push(']');
    }
}

/// What a right text means.
fn read(text: &str) -> String {
    let (shown, reported) = read_with(text, &Memory::new());
    assert_eq!(reported, "", "{text}");
    shown
}

/// The first line of what is reported about a wrong text, without the file's name.
fn wrong(text: &str) -> String {
    wrong_with(text, &Memory::new())
}

fn wrong_with(text: &str, host: &Memory) -> String {
    let (_, reported) = read_with(text, host);
    assert!(reported.contains(": error: "), "no error in {text}");
    reported.lines().next().unwrap().trim_start_matches("dir/Corefile:").to_owned()
}

#[test]
fn a_block_has_keys_and_statements() {
    assert_eq!(read(". {\n log\n cache 30 a.org\n}\n"), "<dns://.:53>[log][cache|30|a.org]");
    assert_eq!(read(".\n{\n log\n}\n"), "<dns://.:53>[log]");
    assert_eq!(read(". {\n}\na.org {\n log\n}"), "<dns://.:53><dns://a.org.:53>[log]");
    assert_eq!(read(". { log\n}\n"), "<dns://.:53>[log]");
    assert_eq!(read(". { }"), "<dns://.:53>");
    assert_eq!(read("a.org"), "<dns://a.org.:53>");
    assert_eq!(read(""), "");
}

#[test]
fn one_block_may_leave_its_braces_out() {
    assert_eq!(read("a.org\nlog\nhosts {\n ttl 5\n}\n"), "<dns://a.org.:53>[log][hosts{[ttl|5]}]");
    assert!(wrong("a.org\nlog\nb.org {\n log\n}\n").starts_with("3:1: error: a second block"));
    assert!(wrong("a.org\nlog\n}\n").starts_with("3:1: error: a closing brace that nothing opened"));
}

#[test]
fn keys_are_separated_by_spaces_or_commas() {
    let both = "<dns://a.org.:53 dns://b.org.:54>[log]";
    for text in [
        "a.org b.org:54 {\nlog\n}",
        "a.org, b.org:54 {\nlog\n}",
        "a.org,\nb.org:54 {\nlog\n}",
        "a.org ,\n\n b.org:54\n{\nlog\n}",
    ] {
        assert_eq!(read(text), both, "{text}");
    }
    assert!(wrong("a.org, {\n}").starts_with("1:7: error: nothing behind the comma"));
    assert!(wrong("a.org,").starts_with("1:7: error: nothing behind the comma"));
    assert!(wrong("a.org,b.org {\n}").starts_with("1:1: error: wrong key"));
}

#[test]
fn a_wrong_key_loses_the_key_only() {
    let (shown, reported) = read_with("a.org:99999 b.org {\nlog\n}", &Memory::new());
    assert_eq!(shown, "<dns://b.org.:53>[log]");
    assert!(reported.starts_with("dir/Corefile:1:1: error: wrong key"));
}

#[test]
fn quotes_keep_spaces_and_line_ends() {
    assert_eq!(read(". {\nlog . \"a b\"\n}"), "<dns://.:53>[log|.|a b]");
    assert_eq!(read(". {\nlog \"a\nb\" c\nerrors\n}"), "<dns://.:53>[log|a\nb|c][errors]");
    assert_eq!(read(". {\nlog \"\" \"x\"y\n}"), "<dns://.:53>[log||x|y]");
    assert_eq!(read(". {\nlog a\"b\"\n}"), "<dns://.:53>[log|a\"b\"]");
    assert_eq!(read(". {\nlog \"a # b\"\n}"), "<dns://.:53>[log|a # b]");
    assert!(wrong(". {\nlog \"a\n}").contains("a brace that is never closed"));
    assert!(
        read_with(". {\nlog \"a\n}", &Memory::new())
            .1
            .contains("dir/Corefile:2:5: error: a quote that is never closed")
    );
}

#[test]
fn only_a_quote_is_escaped() {
    assert_eq!(
        read(
            r#". { log "a \"b\" \d \\" c
    }"#
        ),
        r#"<dns://.:53>[log|a "b" \d \\|c]"#
    );
    assert_eq!(read(". {\nlog a\\\"b\n}"), "<dns://.:53>[log|a\\\"b]");
}

#[test]
fn a_comment_hides_the_rest_of_the_line() {
    assert_eq!(read("# {\n. { # x\nlog # x y\n cache 30 #}\n} # x\n#"), "<dns://.:53>[log][cache|30]");
    assert_eq!(read(". {\r\n#x\r\nlog a#x\r\n}\r\n"), "<dns://.:53>[log|a]");
}

#[test]
fn a_comment_inside_a_word_hides_the_rest_of_the_word_only() {
    let (shown, reported) = read_with(". {\nlog a#b c # d\ncache#x\n}#x", &Memory::new());
    assert_eq!(shown, "<dns://.:53>[log|a|c][cache]");
    assert!(reported.starts_with("dir/Corefile:2:6: warning: a `#` inside a word"), "{reported}");
    assert_eq!(reported.matches("warning").count(), 1);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_not_matter() {
    assert_eq!(read("\u{feff}. {\r\n  log a\r\n}\r\n"), "<dns://.:53>[log|a]");
    assert!(wrong("\u{feff}}\r\n").starts_with("1:1: error"));
    assert!(wrong(". {\r\n  log { a\r\n  } b\r\n}\r\n").starts_with("3:5: error: `b` behind a closing brace"));
}

#[test]
fn variables_are_replaced_in_every_word() {
    let host =
        Memory::new().with_variable("ZONE", "a.org").with_variable("TTL", "3 0").with_variable("DIRECTIVE", "cache");
    let (shown, reported) = read_with("{$ZONE}:54 {\n{%DIRECTIVE%} {$TTL} \"<{$TTL}>\"\n}", &host);
    assert_eq!(shown, "<dns://a.org.:54>[cache|3 0|<3 0>]");
    assert_eq!(reported, "");
    let (shown, reported) = read_with(". {\nlog a{$NONE}b\n}", &host);
    assert_eq!(shown, "<dns://.:53>[log|ab]");
    assert!(reported.starts_with("dir/Corefile:2:5: warning: the environment variable `NONE` is not set"));
    let endless = Memory::new().with_variable("A", "{$A}");
    assert!(wrong_with(". {\nlog {$A}\n}", &endless).starts_with("2:5: error"));
}

#[test]
fn properties_nest() {
    assert_eq!(read(". {\na {\nb {\nc d\n}\n}\n}"), "<dns://.:53>[a{[b{[c|d]}]}]");
    assert_eq!(read(". {\na { b }\nc {}\n}"), "<dns://.:53>[a{[b]}][c|{}]");
    let deep = format!(". {{\n{}{}}}", "a {\n".repeat(NESTING_MAX), "}\n".repeat(NESTING_MAX));
    assert!(wrong(&deep).contains("braces inside braces"));
    let deepest = NESTING_MAX - 1;
    read(&format!(". {{\n{}{}}}", "a {\n".repeat(deepest), "}\n".repeat(deepest)));
}

#[test]
fn braces_in_the_wrong_place_are_errors() {
    assert!(wrong(". {\nlog\n").starts_with("1:3: error: a brace that is never closed"));
    assert!(wrong(". {\na {\nb\n").starts_with("2:3: error: a brace that is never closed"));
    assert!(wrong(". {\n}\n}\n").starts_with("3:1: error: a closing brace that nothing opened"));
    assert!(wrong(". {\na\n{\nb\n}\n}").starts_with("3:1: error: an opening brace on a line of its own"));
    assert!(wrong(". {\nlog }\n").starts_with("2:5: error: the closing brace of a server block"));
    assert!(wrong("{\nlog\n}").starts_with("1:1: error: a server block without a name"));
    assert!(wrong(". {\n{\nlog\n}\n}").starts_with("2:1: error"));
}

#[test]
fn the_head_of_another_block_ends_one_that_is_never_closed() {
    let (shown, reported) = read_with("a.org {\n forward {\n  x\n\nb.org {\n log\n}\n", &Memory::new());
    assert_eq!(shown, "<dns://a.org.:53>[forward{[x]}]<dns://b.org.:53>[log]");
    assert!(reported.starts_with("dir/Corefile:2:10: error: a brace that is never closed"));
    assert_eq!(reported.matches(": error: ").count(), 1);
}

#[test]
fn a_snippet_is_put_in_place_of_its_import() {
    assert_eq!(
        read("(s) {\n log a\n errors\n}\n. {\n import s\n}\na.org {\n import s\n cache\n}\n"),
        "<dns://.:53>[log|a][errors]<dns://a.org.:53>[log|a][errors][cache]"
    );
    assert_eq!(read("(s) { ttl 5\n}\n. {\n hosts {\n import s\n }\n}"), "<dns://.:53>[hosts{[ttl|5]}]");
    assert_eq!(read("(k) {\n. {\n log\n}\n}\nimport k\n"), "<dns://.:53>[log]");
    assert_eq!(read("(a) {\nlog\n}\n(b) {\nimport a\n}\n. {\nimport b\nimport b\n}"), "<dns://.:53>[log][log]");
    assert!(wrong("(s) {\n}\n(s) {\n}\n").starts_with("3:1: error: the snippet `s` is defined twice"));
    assert!(wrong("(s) {\nimport s\n}\n. {\nimport s\n}\n").starts_with("2:8: error: the snippet `s` imports itself"));
    assert!(wrong("(a) {\nimport b\n}\n(b) {\nimport a\n}\n. {\nimport a\n}\n").contains("imports itself"));
    assert!(wrong("(s)\nlog\n").starts_with("1:4: error: the snippet `s` has no body"));
    assert!(wrong(". {\nimport later\n}\n(later) {\n}\n").starts_with("2:8: error: cannot import"));
}

#[test]
fn files_are_imported_relative_to_the_importing_file() {
    let host = Memory::new()
        .file("dir/a", "log a\nimport sub/b")
        .file("dir/sub/b", "errors\nimport ./c")
        .file("dir/sub/c", "cache")
        .file("/etc/d", "debug");
    let (shown, reported) = read_with(". {\nimport a\nimport /etc/d\nwhoami\n}", &host);
    assert_eq!((shown.as_str(), reported.as_str()), ("<dns://.:53>[log|a][errors][cache][debug][whoami]", ""));
}

#[test]
fn a_pattern_imports_its_files_by_name() {
    let host = Memory::new().file("dir/z/2.conf", "b.org {\n}").file("dir/z/1.conf", "a.org {\n}").file("dir/z/x", "{");
    let (shown, reported) = read_with("import z/*.conf\n. {\n}", &host);
    assert_eq!((shown.as_str(), reported.as_str()), ("<dns://a.org.:53><dns://b.org.:53><dns://.:53>", ""));
    let (_, reported) = read_with(". {\nimport z/*.none\n}", &host);
    assert!(reported.starts_with("dir/Corefile:2:8: warning: no file matches"));
    assert!(wrong_with("import z*/*\n", &host).contains("several wildcards"));
    assert!(wrong_with("import z/[12].conf\n", &host).contains("several wildcards"));
}

#[test]
fn wrong_imports_are_located() {
    let host =
        Memory::new().file("dir/self", "log\nimport self").file("dir/a", "import b").file("dir/b", "\n import a");
    assert!(wrong_with(". {\nimport none\n}", &host).starts_with("2:8: error: cannot import `dir/none`"));
    assert!(wrong_with(". {\nimport\n}", &host).starts_with("2:7: error: missing argument of `import`"));
    assert!(wrong_with(". {\nimport self more\n}", &host).starts_with("2:13: error: unexpected argument"));
    assert!(
        wrong_with(". {\nimport self\n}", &host).starts_with("dir/self:2:8: error: the file `dir/self` imports itself")
    );
    assert!(wrong_with(". {\nimport a\n}", &host).starts_with("dir/b:2:9: error: the file `dir/a` imports itself"));
}

#[test]
fn imports_are_bounded_in_number_and_depth() {
    let many = format!("(s) {{\nlog\n}}\n. {{\n{}}}", "import s\n".repeat(IMPORTS_MAX + 1));
    assert!(wrong(&many).contains("too many imports"));
    let deep = (0..=IMPORT_DEPTH_MAX)
        .fold(Memory::new(), |host, n| host.file(format!("dir/{n}"), format!("import {}\n", n + 1)));
    assert!(wrong_with(". {\nimport 0\n}", &deep).contains("too many imports"));
    let snippet = format!("(s) {{\n{}}}\n. {{\n{}}}", "a a a a a a a a a\n".repeat(1000), "import s\n".repeat(100));
    assert!(wrong(&snippet).contains("words, imports included"));
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let long = "#".repeat(FILE_BYTES_MAX + 1);
    assert!(wrong(&long).starts_with("1:1: error: a file of"));
    let host = Memory::new().file("dir/long", long);
    assert!(wrong_with(". {\nimport long\n}", &host).starts_with("2:8: error: `dir/long` is too long"));
}

#[test]
fn an_error_in_an_imported_file_names_that_file() {
    let host = Memory::new().file("dir/part", "# first\nhosts {\n\tttl { x\n\t} y\n}\n");
    assert!(wrong_with(". {\nimport part\n}", &host).starts_with("dir/part:4:4: error: `y` behind a closing brace"));
}

#[test]
fn spans_cover_what_was_written() {
    let text = "é.org tls://b.org {\n  forward . \"10.0.0.1\" # x\n}";
    let mut report = Report::new();
    let corefile = parse("Corefile", text, &Memory::new(), &mut report);
    let block = &corefile.blocks[0];
    let written = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!(written(block.span), "é.org tls://b.org");
    assert_eq!(written(block.keys[1].span), "tls://b.org");
    assert_eq!(written(block.statements[0].span()), "forward . \"10.0.0.1\"");
    assert_eq!(written(block.statements[0].arguments[1].span), "\"10.0.0.1\"");
    assert!(block.statements[0].arguments[1].quoted);
    assert_eq!(report.place(block.keys[1].span).to_string(), "Corefile:1:7");
    assert_eq!(report.place(block.statements[0].arguments[1].span).to_string(), "Corefile:2:13");
}

#[test]
fn all_errors_come_in_one_run() {
    let text = "a..b {\n log }\n}\n. {\n hosts {\n  x } y\n import none\n";
    let (_, reported) = read_with(text, &Memory::new());
    assert!(reported.matches(": error: ").count() >= 4, "{reported}");
}
