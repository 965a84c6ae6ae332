//! The Corefile that nearpath, CoreDNS and node-cache share, but for AutoPath's own line.

use std::fmt::Write as _;

use super::{Setup, Shape, rules};
use crate::onlook::SINK;

/// The text; `autopath` is the directive as the server writes it.
pub(super) fn text(setup: &Setup, autopath: &str) -> String {
    let mut text = block(setup, &format!(".:{}", setup.port), "", autopath);
    if let Some(certificate) = &setup.certificate {
        let tls = format!("    tls {} {}\n", certificate.chain.display(), certificate.key.display());
        text += &block(setup, &format!("tls://.:{}", setup.tls_port), &tls, autopath);
    }
    text
}

fn block(setup: &Setup, key: &str, tls: &str, autopath: &str) -> String {
    let Setup { upstream, extra_port, .. } = setup;
    let room = setup.room();
    let mut text = format!("{key} {{\n    bind 127.0.0.1\n{tls}");
    match setup.shape {
        Shape::Plain => {}
        Shape::Stock => {
            write!(text, "    errors\n    reload\n    loop\n    prometheus 127.0.0.1:{extra_port}\n")
                .expect("a String takes all");
        }
        Shape::AutoPath { .. } => text += autopath,
        Shape::Ruled => text += &rules::text(),
        Shape::LookedOn => {
            let sink = setup.directory.join(SINK);
            writeln!(text, "    dnstap {} full", sink.display()).expect("a String takes all");
        }
    }
    let cache = format!("    cache {{\n        success {room}\n        denial {room}\n    }}\n");
    let forward = format!("    forward . 127.0.0.1:{upstream} {{\n        force_tcp\n    }}\n");
    text + &cache + &forward + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::tests::setup;

    #[test]
    fn the_plain_shape_has_three_directives() {
        let text = text(&setup(Shape::Plain), "");
        let directives: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.starts_with(char::is_alphabetic))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(directives, ["bind", "cache", "forward"], "{text}");
    }

    #[test]
    fn the_stock_shape_adds_what_node_local_dns_cache_has() {
        let text = text(&setup(Shape::Stock), "");
        for directive in ["errors", "reload", "loop", "prometheus"] {
            assert!(text.contains(&format!("\n    {directive}")), "{directive}");
        }
    }
}
