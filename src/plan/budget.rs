//! What a site may come to: the limits of `[budget]`, and where it stands.

use serde::Serialize;

/// One limit, and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BudgetLine {
    /// Its key in `[budget]`.
    pub name: &'static str,
    pub unit: BudgetUnit,
    pub limit: f64,
    pub actual: f64,
    /// The page or file that comes to the most, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetUnit {
    Bytes,
    Files,
    Paths,
    Dollars,
}

impl BudgetLine {
    pub fn is_passed(&self) -> bool {
        self.actual > self.limit
    }

    /// Warns of a limit that is passed.
    pub fn warning(&self) -> String {
        let by = self.culprit.as_ref();
        let by = by.map(|culprit| format!(": {culprit}"));
        let name = self.name;
        format!("`{name}` of [budget] is passed{}", by.unwrap_or_default())
    }
}
