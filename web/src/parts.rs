//! The small parts every page is made of.

mod attributes;
mod fields;
mod figures;
mod how;
mod ids;
mod instead;
mod long;
mod notes;
mod saved;
mod scopes;
mod service;
mod sorting;
mod times;

pub use self::attributes::{
    attribute_table, attribute_table_with, field_links, filter_links, literal,
};
pub use self::fields::{kept_fields, other_fields, text_as_html};
pub use self::figures::{error_share, failed_of, figure, severity_of_share, share_or_dash};
pub use self::ids::copied_id;
pub use self::instead::{Complaint, WayOn, complaint, failure, narrowed, nothing, nothing_of};
pub use self::long::{beginning, line, log_line_text, log_text};
pub use self::notes::{
    basis_note, basis_tag, cut_note, durations_note, export_links, list_note, metrics_named,
    rates_note, requests_note, service_basis,
};
pub use self::saved::saved_page;
pub use self::scopes::ScopeParts;
pub use self::service::{colour, place, service_link, service_link_in};
pub use self::sorting::sort_head;
pub use self::times::{moment, positive, since};
