//! What may come at the cursor of a SQL text: relations, their columns, keywords, functions.
//!
//! Pure: the text, the cursor and the documented schema in, offers out. It reads words and not grammar: a relation
//! is meant where it stands after `FROM` or `JOIN` of the same statement, by its name or its alias.

mod vocabulary;

use self::vocabulary::FIRST;
pub use self::vocabulary::{FUNCTIONS, KEYWORDS};
use super::offers::{OFFERS_MAX, Offer};

/// A relation with its columns: name and type.
pub type Relation = (String, Vec<(String, String)>);

/// What may replace the characters `from..to` of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// First character replaced.
    pub from: usize,
    /// First character kept.
    pub to: usize,
    /// Best first.
    pub offers: Vec<Offer>,
}

/// What may come at character `at` (from 0). Nothing where nothing is begun, unless it `is_asked` for; nothing inside
/// text and comments.
pub fn suggest(text: &str, at: usize, relations: &[Relation], is_asked: bool) -> Suggestions {
    let all: Vec<char> = text.chars().collect();
    let at = at.min(all.len());
    let from = all[..at]
        .iter()
        .rposition(|c| !is_word(*c))
        .map_or(0, |last| last + 1);
    let to = all[at..]
        .iter()
        .position(|c| !is_word(*c))
        .map_or(all.len(), |length| at + length);
    let prefix: String = all[from..at].iter().collect();
    let (before, is_open) = scan(&all[..from]);
    if is_open || prefix.starts_with(|c: char| c.is_ascii_digit()) {
        return Suggestions::default();
    }
    let before = match before.iter().rposition(|token| *token == Token::Sign(';')) {
        Some(end) => &before[end + 1..],
        None => &before[..],
    };
    let (after, _) = scan(&all[from..]);
    let after = after.split(|token| *token == Token::Sign(';')).next();
    let statement: Vec<&Token> = before.iter().chain(after.unwrap_or_default()).collect();
    let meant = meant(&statement, relations);
    let candidates = match place(before) {
        // Without a beginning everything would be offered at every blank.
        Place::Start | Place::Any if prefix.is_empty() && !is_asked => Vec::new(),
        Place::Start => FIRST.into_iter().map(keyword).collect(),
        Place::Relation => relations.iter().map(relation).collect(),
        Place::Column(qualifier) => meant
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(qualifier))
            .take(1)
            .flat_map(|(_, of)| columns(of))
            .collect(),
        Place::Any => anything(&meant, relations),
    };
    Suggestions {
        from,
        to,
        offers: best(candidates, &prefix),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word or a sign; blanks, text and comments are none.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
}

impl Token {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Sign(_) => None,
        }
    }

    fn is_any(&self, words: &[&str]) -> bool {
        self.word()
            .is_some_and(|word| words.iter().any(|other| word.eq_ignore_ascii_case(other)))
    }
}

/// The tokens of a text, and whether it ends within quotes or a comment.
fn scan(chars: &[char]) -> (Vec<Token>, bool) {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let rest = &chars[at..];
        // Characters to go on by; `None` when what begins here has no end.
        let length = match (c, rest.get(1)) {
            ('-', Some('-')) => rest.iter().position(|c| *c == '\n'),
            ('/', Some('*')) => rest[2..]
                .windows(2)
                .position(|pair| pair == ['*', '/'])
                .map(|inside| inside + 4),
            ('\'' | '"', _) => {
                let length = quoted(rest);
                if let (Some(length), '"') = (length, c) {
                    tokens.push(Token::Word(rest[1..length - 1].iter().collect()));
                } else {
                    tokens.push(Token::Sign(c));
                }
                length
            }
            _ if is_word(c) => {
                let length = rest.iter().position(|c| !is_word(*c));
                let length = length.unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].iter().collect()));
                Some(length)
            }
            _ => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                Some(1)
            }
        };
        match length {
            Some(length) => at += length,
            None => return (tokens, true),
        }
    }
    (tokens, false)
}

/// Length of a text or name with its quotes; a quote within is written twice.
fn quoted(chars: &[char]) -> Option<usize> {
    let quote = chars.first()?;
    let mut at = 1;
    loop {
        at += chars.get(at..)?.iter().position(|c| c == quote)? + 1;
        if chars.get(at) != Some(quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// What is about to be written after these tokens.
enum Place<'a> {
    /// A statement.
    Start,
    /// A relation.
    Relation,
    /// A column of what this names.
    Column(&'a str),
    /// Anything else.
    Any,
}

fn place(before: &[Token]) -> Place<'_> {
    match before {
        [] => Place::Start,
        [.., Token::Word(name), Token::Sign('.')] => Place::Column(name),
        [.., last] if last.is_any(&["from", "join"]) && !is_part_of_expression(before) => {
            Place::Relation
        }
        [.., Token::Sign(',')] if is_list_of_relations(before) => Place::Relation,
        _ => Place::Any,
    }
}

/// Whether a `FROM` at the end is no clause: `IS DISTINCT FROM`, `extract(epoch FROM`.
fn is_part_of_expression(before: &[Token]) -> bool {
    let (_, rest) = before.split_last().unwrap_or((&Token::Sign(' '), &[]));
    if rest.last().is_some_and(|token| token.is_any(&["distinct"])) {
        return true;
    }
    let mut open = 0;
    for (at, token) in rest.iter().enumerate().rev() {
        match token {
            Token::Sign(')') => open += 1,
            Token::Sign('(') if open == 0 => {
                let function = at.checked_sub(1).map(|at| &rest[at]);
                return function
                    .is_some_and(|name| name.is_any(&["extract", "trim", "substring", "overlay"]));
            }
            Token::Sign('(') => open -= 1,
            _ => {}
        }
    }
    false
}

/// Whether a comma at the end stands between relations: only names and aliases come since `FROM`.
fn is_list_of_relations(before: &[Token]) -> bool {
    let last = before.iter().rev().find(|token| {
        let is_name = token.word().is_some_and(|word| !is_keyword(word));
        !is_name && !token.is_any(&["as"]) && **token != Token::Sign(',')
    });
    last.is_some_and(|token| token.is_any(&["from"]))
}

/// Whether a word is one of the language's, not a name.
fn is_keyword(word: &str) -> bool {
    KEYWORDS
        .iter()
        .flat_map(|keyword| keyword.split(' '))
        .chain(["inner", "right", "full", "outer", "cross", "natural", "set"])
        .any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// The relations that a statement reads, each by its name and by its alias.
fn meant<'a>(statement: &[&Token], known: &'a [Relation]) -> Vec<(String, &'a Relation)> {
    let word = |at: usize| statement.get(at).and_then(|token| token.word());
    let is_sign =
        |at: usize, sign: char| statement.get(at).is_some_and(|t| **t == Token::Sign(sign));
    let mut named: Vec<(String, &Relation)> = Vec::new();
    for (start, token) in statement.iter().enumerate() {
        if !token.is_any(&["from", "join"]) {
            continue;
        }
        let mut at = start + 1;
        while let Some(relation) = word(at).and_then(|name| {
            known
                .iter()
                .find(|known| known.0.eq_ignore_ascii_case(name))
        }) {
            named.push((relation.0.clone(), relation));
            at += 1;
            if word(at).is_some_and(|word| word.eq_ignore_ascii_case("as")) {
                at += 1;
            }
            if let Some(alias) = word(at).filter(|word| !is_keyword(word)) {
                named.push((alias.to_owned(), relation));
                at += 1;
            }
            if !is_sign(at, ',') {
                break;
            }
            at += 1;
        }
    }
    named
}

/// An offer with the kind of thing it is: of equally good ones the lesser kind comes first.
struct Candidate {
    offer: Offer,
    kind: u8,
}

fn candidate(kind: u8, text: String, detail: String, is_spaced: bool) -> Candidate {
    let offer = Offer {
        text,
        detail,
        is_spaced,
    };
    Candidate { offer, kind }
}

fn keyword(word: &str) -> Candidate {
    candidate(1, word.to_owned(), "keyword".to_owned(), true)
}

fn relation(relation: &Relation) -> Candidate {
    let detail = format!("relation, {} columns", relation.1.len());
    candidate(3, relation.0.clone(), detail, false)
}

fn columns(relation: &Relation) -> impl Iterator<Item = Candidate> {
    relation.1.iter().map(|(column, kind)| {
        let detail = format!("{} · {}", kind.to_lowercase(), relation.0);
        candidate(0, column.clone(), detail, false)
    })
}

/// Columns of the relations meant, or of all while none is; keywords, functions, relations.
fn anything(meant: &[(String, &Relation)], relations: &[Relation]) -> Vec<Candidate> {
    let of: Vec<&Relation> = if meant.is_empty() {
        relations.iter().collect()
    } else {
        meant.iter().map(|(_, relation)| *relation).collect()
    };
    let mut all: Vec<Candidate> = Vec::new();
    for column in of.into_iter().flat_map(columns) {
        // The first relation that has it speaks for the others.
        if all
            .iter()
            .all(|other| other.offer.text != column.offer.text)
        {
            all.push(column);
        }
    }
    all.extend(KEYWORDS.into_iter().map(keyword));
    all.extend(
        FUNCTIONS
            .iter()
            .map(|(name, does)| candidate(2, format!("{name}("), (*does).to_owned(), false)),
    );
    all.extend(relations.iter().map(relation));
    all
}

/// Those that fit what is written, best first: it begins with it, a part of it begins with it, it is in it.
fn best(candidates: Vec<Candidate>, prefix: &str) -> Vec<Offer> {
    let prefix = prefix.to_lowercase();
    let rank = |text: &str| {
        let text = text.to_lowercase();
        if text.starts_with(&prefix) {
            Some(0)
        } else if text.split(['_', ' ']).any(|part| part.starts_with(&prefix)) {
            Some(1)
        } else {
            // A letter or two are in nearly everything.
            (prefix.len() > 2 && text.contains(&prefix)).then_some(2)
        }
    };
    let mut found: Vec<(u8, Candidate)> = candidates
        .into_iter()
        // What is written in full needs no completion.
        .filter(|candidate| !candidate.offer.text.eq_ignore_ascii_case(&prefix))
        .filter_map(|candidate| Some((rank(&candidate.offer.text)?, candidate)))
        .collect();
    // Stable: equally good ones keep the order of the schema.
    found.sort_by_key(|(rank, candidate)| (*rank, candidate.kind));
    found
        .into_iter()
        .take(OFFERS_MAX)
        .map(|(_, candidate)| candidate.offer)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Vec<Relation> {
        let relation = |name: &str, columns: &[&str]| {
            let columns = columns
                .iter()
                .map(|column| ((*column).to_owned(), "VARCHAR".to_owned()));
            (name.to_owned(), columns.collect())
        };
        vec![
            relation("spans", &["trace_id", "service_name", "name", "start_time"]),
            relation(
                "logs",
                &["trace_id", "service_name", "severity_text", "body"],
            ),
            relation("service_edges", &["caller", "callee", "calls"]),
        ]
    }

    /// What is offered where `|` stands.
    fn offered(text: &str, is_asked: bool) -> Vec<String> {
        let at = text.find('|').expect("a cursor");
        let at = text[..at].chars().count();
        let text = text.replacen('|', "", 1);
        let found = suggest(&text, at, &schema(), is_asked);
        found.offers.into_iter().map(|offer| offer.text).collect()
    }

    fn typed(text: &str) -> Vec<String> {
        offered(text, false)
    }

    #[test]
    fn relations_come_after_from_and_join() {
        let all = ["spans", "logs", "service_edges"];
        assert_eq!(typed("SELECT * FROM |"), all);
        assert_eq!(typed("select * from spans join |"), all);
        assert_eq!(typed("SELECT * FROM spans s, |"), all);
        assert_eq!(typed("SELECT * FROM spans AS s, |"), all);
        assert_eq!(typed("SELECT count(*) AS calls, |"), [""; 0]);
        assert_eq!(typed("SELECT name AS n, | FROM spans"), [""; 0]);
        assert_eq!(
            typed("SELECT extract(hour FROM start_t|) FROM spans"),
            ["start_time"]
        );
        assert_eq!(
            typed("SELECT * FROM spans WHERE name IS DISTINCT FROM trace|"),
            ["trace_id"]
        );
        assert_eq!(typed("SELECT * FROM spans AS s, lo|"), ["logs"]);
        assert_eq!(typed("SELECT * FROM edg|"), ["service_edges"]);
        assert_eq!(typed("SELECT * FROM spans|"), Vec::<String>::new());
    }

    #[test]
    fn columns_are_those_of_the_relations_that_are_read() {
        assert_eq!(
            typed("SELECT serv| FROM spans"),
            ["service_name", "service_edges"]
        );
        assert_eq!(
            typed("SELECT cal| FROM service_edges")[..3],
            ["caller", "callee", "calls"]
        );
        // Of all while none is named, each once.
        assert_eq!(typed("SELECT sev|"), ["severity_text"]);
        assert_eq!(typed("SELECT trace|"), ["trace_id"]);
        // By alias, by name, and after the cursor too.
        let of_logs = ["trace_id", "service_name", "severity_text", "body"];
        assert_eq!(
            typed("SELECT l.| FROM spans s JOIN logs l USING (trace_id)"),
            of_logs
        );
        assert_eq!(typed("SELECT * FROM logs WHERE logs.|"), of_logs);
        assert_eq!(
            typed("SELECT * FROM spans AS s, logs AS l WHERE l.s|"),
            ["service_name", "severity_text"]
        );
        assert_eq!(typed("SELECT x.| FROM spans s"), Vec::<String>::new());
        assert_eq!(typed("SELECT \"l\".b| FROM logs \"l\""), ["body"]);
        // Another statement's relations are not this one's.
        assert_eq!(
            typed("SELECT 1 FROM logs; SELECT bo| FROM spans"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn keywords_and_functions_are_offered_by_what_is_begun() {
        assert_eq!(typed("sel|"), ["SELECT"]);
        assert_eq!(
            typed("SELECT coun| FROM spans"),
            ["count(", "approx_count_distinct("]
        );
        assert_eq!(typed("SELECT * FROM spans gro|"), ["GROUP BY"]);
        assert_eq!(typed("SELECT * FROM spans ORDER BY name des|"), ["DESC"]);
        assert!(typed("SELECT quan| FROM spans").starts_with(&["quantile_cont(".to_owned()]));
    }

    #[test]
    fn nothing_is_offered_unasked_where_nothing_is_begun() {
        for text in [
            "|",
            "SELECT |",
            "SELECT name, | FROM spans",
            "SELECT 'fr|'",
            "SELECT 'it''s sel|",
            "SELECT 1 -- sel|",
            "SELECT 1 /* sel|",
            "SELECT attributes.\"http.ro|",
            "SELECT 12|",
        ] {
            assert_eq!(typed(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(offered("|", true), FIRST);
        assert_eq!(
            offered("SELECT | FROM logs", true)[..4],
            ["trace_id", "service_name", "severity_text", "body"]
        );
        assert_eq!(offered("SELECT 'a| FROM logs", true), Vec::<String>::new());
        // After a comment or a text it goes on.
        assert_eq!(typed("-- which\nsel|"), ["SELECT"]);
        assert_eq!(typed("SELECT 'x' FROM lo|"), ["logs"]);
    }

    #[test]
    fn an_offer_replaces_the_whole_word() {
        let found = suggest("SELECT ser_x FROM spans", 10, &schema(), false);
        assert_eq!((found.from, found.to), (7, 12));
        let found = suggest("SELECT '\u{1f600}', tra", 15, &schema(), false);
        assert_eq!((found.from, found.to), (12, 15));
        assert_eq!(found.offers[0].text, "trace_id");
        // Whatever stands there, and wherever the cursor is said to be.
        for text in [
            "",
            "'",
            "\"",
            "/*",
            "--",
            "/",
            "-",
            ".",
            ";;",
            "\u{e9}\u{1f600}",
            "a.b.c",
            "FROM ,,",
        ] {
            for at in 0..text.chars().count() + 2 {
                let found = suggest(text, at, &schema(), true);
                assert!(found.from <= found.to, "{text} at {at}");
            }
        }
    }
}
