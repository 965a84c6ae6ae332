//! Reads a resolv.conf as glibc reads it (resolv.conf(5)), as far as searches go.

use contract::limits::SEARCH_DOMAINS_MAX;
use contract::wire::Name;

/// What a client with this file searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvConf {
    /// The domains in order; `.` may stand among them.
    pub(crate) search: Vec<Name>,
    /// Names with fewer dots are searched: 1 unless the file says more, at most 15.
    pub(crate) ndots: u8,
}

/// The largest `ndots`; glibc and musl cut what is above.
pub(crate) const NDOTS_MAX: u8 = 15;

/// Reads the text: the last of all `search` and `domain` lines wins, and the last `ndots`. Lines that are neither, and
/// comments, are passed over; domains that are no names are left out, as no stub can ask for them.
pub(crate) fn parse(text: &str) -> ResolvConf {
    let mut conf = ResolvConf { search: Vec::new(), ndots: 1 };
    for line in text.lines() {
        // a keyword stands at the very start of its line
        let Some((keyword, values)) = line.split_once([' ', '\t']) else { continue };
        let mut values = values.split_whitespace();
        match keyword {
            "search" => {
                conf.search = values.filter_map(|value| Name::parse(value).ok()).take(SEARCH_DOMAINS_MAX).collect();
            }
            "domain" => conf.search = values.next().and_then(|value| Name::parse(value).ok()).into_iter().collect(),
            "options" => {
                let mut numbers = values.filter_map(|option| option.strip_prefix("ndots:")?.parse::<u32>().ok());
                conf.ndots = numbers.next_back().map_or(conf.ndots, |ndots| ndots.min(NDOTS_MAX.into()) as u8);
            }
            _ => {}
        }
    }
    conf
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> Vec<String> {
        parse(text).search.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_last_line_wins() {
        assert_eq!(search("search a.b c\nsearch x.y. Z\n"), ["x.y.", "z."]);
        assert_eq!(search("search a b\ndomain d.e f\n"), ["d.e."]);
        assert_eq!(search("domain d\nsearch a\tb  c\n"), ["a.", "b.", "c."]);
        assert_eq!(search("search .\n"), ["."]);
        assert_eq!(search("nameserver 192.0.2.1\n# search a\n;search b\n search c\nsearchx d\n"), [""; 0]);
        assert_eq!(search("search a..b c\n"), ["c."], "no stub can ask below a..b");
    }

    #[test]
    fn ndots_is_one_unless_said() {
        assert_eq!(parse("search a\n").ndots, 1);
        assert_eq!(parse("options edns0 ndots:5 timeout:2\n").ndots, 5);
        assert_eq!(parse("options ndots:2\noptions ndots:3 rotate\noptions rotate\n").ndots, 3);
        assert_eq!(parse("options ndots:99\n").ndots, 15);
        assert_eq!(parse("options ndots:0\n").ndots, 0);
        assert_eq!(parse("options ndots:x\n").ndots, 1);
    }
}
