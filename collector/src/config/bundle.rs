//! The bundle of an incident that is served instead of a live store: its times, and what of it was left out.

/// What a manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The first nanosecond of its rows.
    pub from_unix_nano: u64,
    /// The moment it was written for: what every question about it takes for now.
    pub to_unix_nano: u64,
    /// Ids of its incidents, oldest first.
    pub incidents: Vec<String>,
    /// A sentence for each signal of which not every row was kept.
    pub cut: Vec<String>,
}

impl Bundle {
    /// What counts as now, as the store takes it.
    pub fn now(&self) -> i64 {
        i64::try_from(self.to_unix_nano).unwrap_or(i64::MAX)
    }
}
