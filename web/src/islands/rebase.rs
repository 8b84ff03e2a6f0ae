//! A link of a page, as it is meant where the page has come to since the link was made.
//!
//! A link says the whole state that it leads to. What of that differs from the state it was made in is what it changes, and
//! that alone is changed in the state of now.

/// The parts of an address, as they are written.
struct Address<'a> {
    path: &'a str,
    pairs: Vec<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn of(address: &'a str) -> Self {
        let (rest, fragment) = match address.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (address, None),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            path,
            pairs: query.split('&').filter(|pair| !pair.is_empty()).collect(),
            fragment,
        }
    }

    /// The parameters of that name.
    fn named(&self, name: &str) -> Vec<&'a str> {
        let pairs = self.pairs.iter().copied();
        pairs.filter(|pair| name_of(pair) == name).collect()
    }
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

/// Where `link`, made when the page was at `made`, leads from `now`; `None` if to another page.
pub(super) fn rebased(link: &str, made: &str, now: &str) -> Option<String> {
    let [link, made, now] = [link, made, now].map(Address::of);
    if link.path != now.path {
        return None;
    }
    let is_changed = |pair: &&str| {
        let name = name_of(pair);
        link.named(name) != made.named(name)
    };
    let kept = now.pairs.iter().copied().filter(|pair| !is_changed(pair));
    let set = link.pairs.iter().copied().filter(is_changed);
    let query = kept.chain(set).collect::<Vec<_>>().join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    let fragment = link.fragment.map(|fragment| format!("#{fragment}"));
    Some(format!(
        "{}{mark}{query}{}",
        link.path,
        fragment.unwrap_or_default()
    ))
}

/// Whether two addresses of a page differ in the parameter `name` and in nothing else.
pub(super) fn differ_in(name: &str, one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(Address::of);
    let mut names = one
        .pairs
        .iter()
        .chain(&other.pairs)
        .map(|pair| name_of(pair));
    one.named(name) != other.named(name)
        && names.all(|each| each == name || one.named(each) == other.named(each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_changes_what_it_was_made_to_change_and_nothing_else() {
        let made = "/traces/t?from=now-1h&span=a";
        for (link, now, expected) in [
            // Nothing has happened since.
            (
                "/traces/t?from=now-1h&span=b#s-b",
                made,
                "/traces/t?from=now-1h&span=b#s-b",
            ),
            // Something was folded and another span chosen.
            (
                "/traces/t?from=now-1h&span=b#s-b",
                "/traces/t?from=now-1h&fold=x&span=c",
                "/traces/t?from=now-1h&fold=x&span=b#s-b",
            ),
            (
                "/traces/t?from=now-1h&span=a&view=flame",
                "/traces/t?from=now-1h&span=c",
                "/traces/t?from=now-1h&span=c&view=flame",
            ),
            // It takes away, too: what is there now as well as what was.
            (
                "/traces/t?from=now-1h",
                "/traces/t?from=now-1h&span=c",
                "/traces/t?from=now-1h",
            ),
            ("/traces/t", "/traces/t?from=now-1h&span=c", "/traces/t"),
            // A name may come twice.
            (
                "/traces/t?from=now-1h&span=a&x=1&x=2",
                "/traces/t?x=1",
                "/traces/t?x=1&x=2",
            ),
        ] {
            let found = rebased(link, made, now);
            assert_eq!(found.as_deref(), Some(expected), "{link} from {now}");
        }
        assert_eq!(rebased("/services/cart", made, made), None);
        assert_eq!(rebased("https://grafana.example/", made, made), None);
    }

    #[test]
    fn what_differs_is_told_by_name_wherever_it_stands() {
        let here = "/traces/t?from=now-1h&span=a";
        assert!(differ_in("span", here, "/traces/t?span=b&from=now-1h#s-b"));
        assert!(differ_in("span", here, "/traces/t?from=now-1h"));
        assert!(!differ_in("span", here, here));
        assert!(!differ_in(
            "span",
            here,
            "/traces/t?from=now-1h&span=b&view=flame"
        ));
        assert!(!differ_in("span", here, "/traces/t?span=b"));
    }
}
