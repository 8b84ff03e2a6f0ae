//! Drawings of sixty services and two hundred edges: the same for the same graph, readable, still where they were.

use std::collections::BTreeMap;

use leptos::serde_json::{Value, from_value, json};

use super::*;

const SERVICES: usize = 60;
const EDGES: usize = 200;

fn node(name: &str, kind: &str, inferred: bool) -> Value {
    json!({"name": name, "kind": kind, "inferred": inferred, "calls": 12_345, "errors": 0, "weight": 12_345.0,
        "latency": {"p95_ns": 123_456_789.0}})
}

fn edge(caller: usize, callee: usize, calls: usize) -> Value {
    json!({"caller": caller, "callee": callee, "kind": "service", "is_async": false, "calls": calls, "errors": 0,
        "weight": calls as f64, "basis": "all", "latency": {"p95_ns": 1_234_567.0}})
}

fn graph_of(nodes: &[Value], edges: &[Value]) -> Graph {
    let graph =
        json!({"nodes": nodes, "edges": edges, "truncated": false, "total_edges": edges.len()});
    from_value(graph).expect("the shape of the model")
}

/// Six layers of ten; each service calls three or four of those that come after it. One in six is a queue nobody sends
/// spans of, with the name of a queue.
fn large() -> Graph {
    let nodes: Vec<Value> = (0..SERVICES)
        .map(|at| match at % 6 {
            5 => node(&format!("in_process:parcels-{at:02}"), "messaging", true),
            _ => node(&format!("recommendation-service-{at:02}"), "service", false),
        })
        .collect();
    let mut edges = Vec::new();
    for step in 1.. {
        for caller in 0..SERVICES - 10 {
            let layer = caller / 10 + 1;
            let callee = layer * 10 + (caller * 7 + step * 3) % 10;
            if edges.len() < EDGES {
                edges.push(edge(caller, callee, 1 + (caller * 31 + step * 17) % 500));
            }
        }
        if edges.len() == EDGES {
            break;
        }
    }
    graph_of(&nodes, &edges)
}

fn html_of(graph: &Graph) -> String {
    picture(graph, &Frame::default()).to_html()
}

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let (_, rest) = tag
        .split_once(&format!(" {name}=\""))
        .unwrap_or_else(|| panic!("no {name}: {tag}"));
    rest.split('"').next().unwrap_or_default()
}

fn number(tag: &str, name: &str) -> f64 {
    attribute(tag, name).parse().expect("a number")
}

/// Left, top, right, bottom of each box, by what its title says the service is called.
fn boxes(html: &str) -> BTreeMap<String, [f64; 4]> {
    html.split("<a ")
        .skip(1)
        .filter(|link| attribute(&format!(" {link}"), "class").starts_with("node "))
        .map(|link| {
            let (_, title) = link.split_once("<title>").expect("a title");
            let (name, _) = title.split_once(": ").expect("a name");
            let (_, area) = link.split_once("<rect").expect("a box");
            let (x, y) = (number(area, "x"), number(area, "y"));
            let sides = [x, y, x + number(area, "width"), y + number(area, "height")];
            (name.to_owned(), sides)
        })
        .collect()
}

#[test]
fn the_same_graph_is_the_same_picture_whatever_its_order() {
    let graph = large();
    let picture = html_of(&graph);
    for turn in [1, 7, 33] {
        // Nodes the other way round from another one on, edges likewise.
        let count = graph.nodes.len();
        let place = |at: usize| (count - 1 - at + turn) % count;
        let mut nodes = graph.nodes.clone();
        for (at, node) in graph.nodes.iter().enumerate() {
            nodes[place(at)] = node.clone();
        }
        let mut edges: Vec<GraphEdge> = graph
            .edges
            .iter()
            .rev()
            .map(|edge| GraphEdge {
                caller: place(edge.caller),
                callee: place(edge.callee),
                ..edge.clone()
            })
            .collect();
        edges.rotate_left(turn);
        let other = Graph {
            nodes,
            edges,
            ..graph
        };
        assert_ne!(other, graph);
        assert!(html_of(&other) == picture, "turned by {turn}");
    }
}

#[test]
fn boxes_stay_where_they_are_when_numbers_change_and_when_the_far_end_grows() {
    let mut graph = large();
    let before = boxes(&html_of(&graph));
    assert_eq!(before.len(), SERVICES);
    for (at, edge) in graph.edges.iter_mut().enumerate() {
        edge.calls = 1 + (at as u64 * 7919) % 10_000;
        edge.errors = edge.calls / 3;
    }
    // As the query has it: busiest first.
    graph
        .edges
        .sort_by_key(|edge| std::cmp::Reverse(edge.calls));
    assert_eq!(boxes(&html_of(&graph)), before);

    // A service of the last layer comes to call a database.
    let far = before.values().map(|sides| sides[0]).fold(0.0, f64::max);
    let is_far = |node: &GraphNode| before[&node.name][0] == far;
    let caller = graph.nodes.iter().position(is_far).expect("a last layer");
    graph
        .nodes
        .push(from_value(node("orders-db", "database", true)).expect("the shape of the model"));
    let callee = graph.nodes.len() - 1;
    graph
        .edges
        .push(from_value(edge(caller, callee, 5)).expect("the shape of the model"));
    let mut after = boxes(&html_of(&graph));
    let new = after.remove("orders-db").expect("a box of its own");
    assert_eq!(after, before);
    assert!(new[0] > far, "{new:?}");
}

#[test]
fn sixty_services_and_two_hundred_edges_are_readable() {
    let graph = large();
    assert_eq!((graph.nodes.len(), graph.edges.len()), (SERVICES, EDGES));
    let html = html_of(&graph);
    let boxes = boxes(&html);
    let all: Vec<&[f64; 4]> = boxes.values().collect();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            let is_apart = one[2] <= other[0]
                || other[2] <= one[0]
                || one[3] <= other[1]
                || other[3] <= one[1];
            assert!(is_apart, "{one:?} and {other:?}");
        }
    }
    // Callers stand before callees.
    for edge in &graph.edges {
        let left = |at: usize| boxes[&graph.nodes[at].name][0];
        assert!(left(edge.caller) < left(edge.callee));
    }
    // What is written in a box ends in it, and a cut name is whole in its title.
    let mut written = 0;
    for (name, sides) in &boxes {
        let (_, inside) = html
            .split_once(&format!("<title>{name}: "))
            .expect("its title");
        let (inside, _) = inside.split_once("</a>").expect("the end of the box");
        for text in inside.split("<text").skip(1) {
            let (tag, rest) = text.split_once('>').expect("the end of the tag");
            let (words, _) = rest.split_once("</text>").expect("the end of the text");
            let font = match attribute(tag, "class") {
                "node-name" => NAME,
                _ => SMALL,
            };
            let end = number(tag, "x") + font.width(words);
            assert!(end < sides[2], "{words} ends at {end} of {sides:?}");
            written += 1;
        }
    }
    assert_eq!(written, 2 * SERVICES);
}

#[test]
fn messages_and_inferred_peers_are_told_apart_by_their_class() {
    let mut graph = large();
    for edge in &mut graph.edges {
        edge.is_async = graph.nodes[edge.callee].kind == NodeKind::Messaging;
    }
    let html = html_of(&graph);
    let drawn = |words: [&str; 2]| {
        html.split('<')
            .filter(|tag| tag.contains(" class=\""))
            .map(|tag| attribute(tag, "class").split_whitespace().collect())
            .filter(|class: &Vec<&str>| words.iter().all(|word| class.contains(word)))
            .count()
    };
    let messages = graph.edges.iter().filter(|edge| edge.is_async).count();
    assert!(messages > 20, "{messages}");
    assert_eq!(drawn(["edge", "async"]), messages);
    assert_eq!(drawn(["node", "peer"]), 10);
    // Of ten queues those of the last layer lead nowhere: what is in them was not seen to be taken.
    let ends = (0..graph.nodes.len())
        .filter(|at| graph.nodes[*at].kind == NodeKind::Messaging)
        .filter(|at| graph.edges.iter().all(|edge| edge.caller != *at));
    assert_eq!(
        html.matches("no span says who took these messages").count(),
        ends.count()
    );
}

/// One edge with breakers of these names and states.
fn guarded(breakers: &[(&str, &str, &str)], refused: u64) -> Graph {
    let breakers: Vec<Value> = breakers
        .iter()
        .map(|(name, pattern, state)| {
            json!({"breaker_id": name, "name": name, "key": null, "pattern": pattern, "state": state, "instances": 1,
                "instances_open": 0, "peer_evidence": "name", "hosts_ejected": 0, "hosts_total": 12, "rejected": refused})
        })
        .collect();
    let mut call = edge(0, 1, 100);
    call["breakers"] = json!(breakers);
    let nodes = [
        node("shop", "service", false),
        node("pay", "service", false),
    ];
    graph_of(&nodes, &[call])
}

#[test]
fn breakers_that_are_all_well_are_told_together_whatever_their_kind() {
    let told = |breakers: &[(&str, &str, &str)]| {
        let graph = guarded(breakers, 0);
        let label = Label::of(&graph.edges[0], &graph, None);
        label.breaker.expect("a breaker").1
    };
    let breaker = |name| (name, "breaker", "closed");
    let ejection = ("mesh", "ejection", "closed");
    assert_eq!(told(&[breaker("pay")]), "● closed");
    assert_eq!(told(&[breaker("shop-pay")]), "shop-pay: ● closed");
    let four = [breaker("a"), breaker("b"), breaker("c"), breaker("d")];
    assert_eq!(told(&four), "● closed (all 4)");
    assert_eq!(
        told(&[breaker("a"), ejection, breaker("c"), breaker("d")]),
        "● none of 4 refuses"
    );
    // Of the stale one nobody knows.
    assert_eq!(
        told(&[breaker("a"), ("b", "breaker", "stale")]),
        "a: ● closed (1 of 2)"
    );
}

#[test]
fn the_label_of_an_edge_has_room_between_its_boxes_however_much_it_says() {
    for name in ["pay", "the-breaker-with-the-very-long-name-of-payment"] {
        for refused in [0, 7, 123_456_789] {
            let other = ("b", "breaker", "half_open");
            let graph = guarded(&[(name, "breaker", "forced_open"), other], refused);
            let label = Label::of(&graph.edges[0], &graph, None);
            let (_, text) = label.breaker.as_ref().expect("a breaker");
            assert!(text.contains("⊗ forced open"), "{text}");
            assert!(refused == 0 || text.contains("refused"), "{text}");
            assert!(SMALL.width(text) <= labels::ROOM, "{text}");
        }
    }
}
