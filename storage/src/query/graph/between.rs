//! Services between others: those on a path of calls from one of some services to another.

use std::collections::{BTreeMap, BTreeSet};

/// Paths with more nodes between their ends are not followed.
const DEPTH_MAX: usize = 6;

/// The nodes between the ends of a shortest path of calls from each of `ends` to each other, as far as it passes no third end:
/// at most `nodes_max`, those of the shortest paths first, and of each path all or none.
pub(super) fn between<N: Ord + Clone>(
    edges: &[(N, N)],
    ends: &BTreeSet<N>,
    nodes_max: usize,
) -> BTreeSet<N> {
    let mut callees: BTreeMap<&N, BTreeSet<&N>> = BTreeMap::new();
    for (caller, callee) in edges {
        callees.entry(caller).or_default().insert(callee);
    }
    let mut paths: Vec<Vec<&N>> = ends
        .iter()
        .flat_map(|end| paths_from(end, &callees, ends))
        .collect();
    paths.sort_by_key(Vec::len);
    let mut found: BTreeSet<&N> = BTreeSet::new();
    for path in paths {
        let more: Vec<&N> = path
            .into_iter()
            .filter(|node| !found.contains(node))
            .collect();
        if found.len() + more.len() > nodes_max {
            break;
        }
        found.extend(more);
    }
    found.into_iter().cloned().collect()
}

/// The nodes between `from` and each end that it reaches without passing another: breadth first, so on a shortest path, and
/// of several the one by the first callee in order.
fn paths_from<'a, N: Ord>(
    from: &'a N,
    callees: &BTreeMap<&'a N, BTreeSet<&'a N>>,
    ends: &BTreeSet<N>,
) -> Vec<Vec<&'a N>> {
    let mut callers: BTreeMap<&'a N, &'a N> = BTreeMap::new();
    let mut paths = Vec::new();
    let mut frontier = vec![from];
    for _ in 0..=DEPTH_MAX {
        let mut next = Vec::new();
        for caller in frontier {
            let Some(called) = callees.get(caller) else {
                continue;
            };
            for callee in called.iter().copied() {
                if callee == from || callers.contains_key(callee) {
                    continue;
                }
                callers.insert(callee, caller);
                if !ends.contains(callee) {
                    next.push(callee);
                    continue;
                }
                let mut path = Vec::new();
                let mut at = caller;
                while at != from {
                    path.push(at);
                    at = callers[at];
                }
                paths.push(path);
            }
        }
        frontier = next;
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[(&str, &str)], ends: &[&str], nodes_max: usize) -> Vec<String> {
        let owned = |(caller, callee): &(&str, &str)| ((*caller).to_owned(), (*callee).to_owned());
        let edges: Vec<(String, String)> = edges.iter().map(owned).collect();
        let ends: BTreeSet<String> = ends.iter().map(|end| (*end).to_owned()).collect();
        between(&edges, &ends, nodes_max).into_iter().collect()
    }

    #[test]
    fn what_calls_pass_through_is_between_and_nothing_beside() {
        let edges = [
            ("a", "b"),
            ("b", "c"),
            ("c", "d"),
            // Longer, beside, and behind.
            ("a", "x"),
            ("x", "y"),
            ("y", "z"),
            ("z", "d"),
            ("b", "log"),
            ("d", "e"),
        ];
        assert_eq!(found(&edges, &["a", "d"], 10), ["b", "c"]);
        // One that is called itself needs nobody between.
        assert!(found(&edges, &["a", "b"], 10).is_empty());
        // From `c` to `d` by itself, and from `a` not by `c`.
        assert_eq!(found(&edges, &["a", "c", "d"], 10), ["b", "x", "y", "z"]);
        // Round and back.
        let round = [("a", "b"), ("b", "a"), ("b", "c")];
        assert_eq!(found(&round, &["a", "c"], 10), ["b"]);
        assert!(found(&edges, &["e", "nobody"], 10).is_empty());
    }

    #[test]
    fn long_ways_and_many_of_them_have_an_end() {
        let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
        let edges: Vec<(&str, &str)> = names
            .windows(2)
            .map(|pair| (pair[0].as_str(), pair[1].as_str()))
            .collect();
        assert_eq!(found(&edges, &["00", "07"], 10).len(), 6);
        assert!(found(&edges, &["00", "08"], 10).is_empty());
        // The shortest come first, and a way is whole.
        let ends = ["00", "05", "07"];
        assert_eq!(found(&edges, &ends, 5), ["01", "02", "03", "04", "06"]);
        assert_eq!(found(&edges, &ends, 4), ["06"]);
    }
}
