//! What a page says, read off its HTML.

/// The start tags that have a class.
pub fn tags<'a>(html: &'a str, class: &str) -> Vec<&'a str> {
    html.split('<')
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter(|tag| {
            attribute(tag, "class")
                .is_some_and(|all| all.split_whitespace().any(|one| one == class))
        })
        .collect()
}

/// The value of an attribute of a start tag, as written.
pub fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// What a person reads of a piece of a page: no tags, single blanks.
pub fn words(html: &str) -> String {
    let mut text = String::new();
    for (at, piece) in html.split('<').enumerate() {
        // Comments stand between the parts of one text.
        if !piece.starts_with('!') {
            text.push(' ');
        }
        text.push_str(match at {
            0 => piece,
            _ => piece.split_once('>').map_or("", |(_, said)| said),
        });
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of the tables of a page, cell by cell, without their headings.
pub fn cells(html: &str) -> Vec<Vec<String>> {
    html.split("<tbody")
        .skip(1)
        .filter_map(|body| body.split("</tbody>").next())
        .flat_map(|body| body.split("<tr").skip(1))
        .map(|row| {
            row.split("<td")
                .skip(1)
                .map(|cell| words(&format!("<td{cell}")))
                .collect()
        })
        .collect()
}

/// Where the last link before some text of a page leads.
pub fn link_before(html: &str, text: &str) -> Option<String> {
    let before = html.get(..html.find(text)?)?;
    let (_, link) = before.rsplit_once(" href=\"")?;
    Some(link.split('"').next()?.replace("&amp;", "&"))
}
