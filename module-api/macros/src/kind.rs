//! The kinds of row types, and the arguments that their attributes take.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Component,
    Table,
    Resource,
    Event,
}

impl Kind {
    pub(crate) const fn attribute(self) -> &'static str {
        match self {
            Self::Component => "`#[component]`",
            Self::Table => "`#[table]`",
            Self::Resource => "`#[resource]`",
            Self::Event => "`#[event]`",
        }
    }

    /// The arguments it takes; the first says who sees its rows.
    pub(crate) const fn known(self) -> &'static [&'static str] {
        match self {
            Self::Component => &[
                "visible",
                "spatial",
                "latest",
                "ordered",
                "detail",
                "on_demand",
                "durable",
                "checkpoint",
                "transient",
                "was",
                "module",
            ],
            Self::Table => &[
                "visible",
                "key",
                "latest",
                "ordered",
                "on_demand",
                "durable",
                "checkpoint",
                "transient",
                "was",
                "module",
            ],
            Self::Resource => {
                &["visible", "latest", "ordered", "durable", "checkpoint", "transient", "was", "module"]
            }
            Self::Event => &["to", "at", "module"],
        }
    }
}
