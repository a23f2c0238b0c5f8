//! What the user should know beside what they asked for: whom a command believed without being told to,
//! and where it went.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use wargate_client::origin::Domain;

/// Most notices of one command.
const NOTICES_MAX: usize = 1_000;

/// Something that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A registry was believed on first use.
    FirstUse { registry: String, operator_key: String },
    /// A package is at another registry than the one that was asked.
    Elsewhere { package: String, registry: String },
    /// Something may be wrong.
    Warning { message: String },
}

impl Notice {
    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::FirstUse { registry, operator_key } => {
                let found = registry.parse().ok().and_then(|name: Domain| name.to_url().ok());
                let url = found.map(|url| url.to_string()).unwrap_or_default();
                let host = url.split_once("://").map_or("", |(_, rest)| rest.trim_end_matches('/'));
                let name = match host {
                    "" => registry.clone(),
                    host if host == registry => registry.clone(),
                    host => format!("{host}, by the name {registry},"),
                };
                format!("{name} is new here; its operator key is {operator_key}")
            }
            Self::Elsewhere { package, registry } => {
                format!("{package} is at another registry: {registry}")
            }
            Self::Warning { message } => format!("warning: {message}"),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::FirstUse { registry, operator_key } => json!({
                "notice": "first-use", "registry": registry, "operatorKey": operator_key }),
            Self::Elsewhere { package, registry } => json!({
                "notice": "elsewhere", "package": package, "registry": registry }),
            Self::Warning { message } => json!({ "notice": "warning", "message": message }),
        }
    }
}

/// All notices of one command, each once.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<Vec<Notice>>);

impl Notices {
    /// Adds one; `false` if it is there already.
    pub(crate) fn add(&self, notice: &Notice) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = list.len() < NOTICES_MAX && !list.contains(notice);
        if new {
            list.push(notice.clone());
        }
        new
    }

    /// All, in order.
    pub(crate) fn list(&self) -> Vec<Notice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts them into a JSON document, as the member `notices`; nothing if there are none.
    pub(crate) fn put_into(&self, document: &mut Value) {
        let list = self.list();
        if let (Value::Object(members), false) = (document, list.is_empty()) {
            let list = list.iter().map(Notice::to_json).collect();
            members.insert("notices".to_owned(), Value::Array(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_there_are_not_too_many() {
        let notices = Notices::default();
        let mut document = json!({ "a": 1 });
        notices.put_into(&mut document);
        assert_eq!(document, json!({ "a": 1 }));
        let notice = |message: usize| Notice::Warning { message: message.to_string() };
        assert!(notices.add(&notice(0)) && !notices.add(&notice(0)));
        (0..2 * NOTICES_MAX).for_each(|message| {
            notices.add(&notice(message));
        });
        assert_eq!(notices.list().len(), NOTICES_MAX);
        notices.put_into(&mut document);
        assert_eq!(document["notices"][1], json!({ "notice": "warning", "message": "1" }));
    }
}
