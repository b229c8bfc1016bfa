//! What is to be done again, as the query of a preview or the form of its page writes it.

use serde::Deserialize;
use shared::failure::FailureClass;
use shared::ids::ShardId;

use crate::ui::dashboard::error::PageError;
use crate::work::resume::{Choice, Only, Quarantined};

/// Which shards are to be done again, as a form writes it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ResumeQuery {
    /// `missing`, `failed` or `quarantined`; empty for what is missing or failed.
    #[serde(default)]
    pub(super) only: String,
    /// A style; empty for all.
    #[serde(default)]
    pub(super) style: String,
    /// Numbers of shards, separated by commas or spaces; empty for all.
    #[serde(default)]
    pub(super) shards: String,
    /// A class of failure of quarantined items; empty for all.
    #[serde(default)]
    pub(super) reason: String,
    /// A part of the reasons of quarantined items; empty for any reason.
    #[serde(default)]
    pub(super) contains: String,
}

impl ResumeQuery {
    /// Returns the query of a list of shards, in which `shards` stands once for each that is chosen.
    ///
    /// # Errors
    ///
    /// [`PageError::BadRequest`] if the list lets shards be chosen and none is.
    pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, PageError> {
        let mut query = Self::default();
        let (mut shards, mut is_choice) = (Vec::new(), false);
        for (name, value) in pairs {
            match name.as_str() {
                "only" => query.only = value,
                "style" => query.style = value,
                "reason" => query.reason = value,
                "contains" => query.contains = value,
                "shards" => shards.push(value),
                "chosen" => is_choice = true,
                _ => {}
            }
        }
        if is_choice && shards.is_empty() {
            return Err(PageError::BadRequest(
                "no shard is chosen: go back and tick those that are to be done again".to_owned(),
            ));
        }
        query.shards = shards.join(",");
        Ok(query)
    }

    /// Returns the choice of shards that the query makes.
    ///
    /// # Errors
    ///
    /// [`PageError::BadRequest`] if a field has no meaning.
    pub(super) fn choice(&self) -> Result<Choice, PageError> {
        let only = match self.only.as_str() {
            "" => None,
            "missing" => Some(Only::Missing),
            "failed" => Some(Only::Failed),
            "quarantined" => Some(Only::Quarantined(self.quarantined()?)),
            other => {
                let what = format!("only={other:?} must be missing, failed or quarantined");
                return Err(PageError::BadRequest(what));
            }
        };
        let numbers = self
            .shards
            .split([',', ' '])
            .filter(|part| !part.is_empty());
        let shards: Result<Vec<ShardId>, _> = numbers.map(str::parse).collect();
        Ok(Choice {
            only,
            styles: Some(self.style.clone())
                .filter(|style| !style.is_empty())
                .into_iter()
                .collect(),
            shards: shards.map_err(|error| PageError::BadRequest(error.to_string()))?,
        })
    }

    fn quarantined(&self) -> Result<Quarantined, PageError> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let unknown =
            |name: &str| PageError::BadRequest(format!("reason={name:?} is no class of failure"));
        let class = some(&self.reason).map(|name| {
            let class = FailureClass::from_name(&name);
            class.ok_or_else(|| unknown(&name))
        });
        Ok(Quarantined {
            class: class.transpose()?,
            reason: some(&self.contains),
        })
    }

    /// Returns whether it is about quarantined items, which can be noted without a broker.
    pub(super) fn is_retry(&self) -> bool {
        self.only == "quarantined"
    }

    /// Returns what is asked for, in words.
    pub(super) fn what(&self) -> String {
        let kind = match self.only.as_str() {
            "missing" => "Resume what is missing",
            "failed" => "Retry what failed",
            "quarantined" => "Retry what is quarantined",
            _ => "Do again what is missing or failed",
        };
        let style = match self.style.as_str() {
            "" => String::new(),
            style => format!(", in the style of {style}"),
        };
        let shards = match self.shards.trim() {
            "" => String::new(),
            shards if shards.contains(',') => ", of the chosen shards".to_owned(),
            shard => format!(", of shard {shard}"),
        };
        let class = match self.reason.as_str() {
            "" => String::new(),
            class => format!(", as {class}"),
        };
        let contains = match self.contains.as_str() {
            "" => String::new(),
            text => format!(", because of “{text}”"),
        };
        format!("{kind}{style}{shards}{class}{contains}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_are_ticked_are_chosen_and_none_are_not_all() {
        let asked = |pairs: &[(&str, &str)]| {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            ResumeQuery::from_pairs(pairs.iter().map(own).collect())
        };
        let ticked = asked(&[("chosen", "yes"), ("shards", "000007"), ("shards", "12")]).unwrap();
        assert_eq!(ticked.choice().unwrap().shards, [ShardId(7), ShardId(12)]);
        assert_eq!(
            ticked.what(),
            "Do again what is missing or failed, of the chosen shards"
        );
        assert!(asked(&[("chosen", "yes")]).is_err());
        let all = asked(&[("only", "failed")]).unwrap();
        assert!(all.choice().unwrap().shards.is_empty());
    }

    #[test]
    fn a_query_is_read_as_people_write_it() {
        let query = ResumeQuery {
            only: "failed".to_owned(),
            shards: "000007, 12".to_owned(),
            ..ResumeQuery::default()
        };
        let choice = query.choice().unwrap();
        assert_eq!(choice.only, Some(Only::Failed));
        assert_eq!(choice.shards, [ShardId(7), ShardId(12)]);
        assert!(choice.styles.is_empty());
        let nonsense = ResumeQuery {
            shards: "seven".to_owned(),
            ..ResumeQuery::default()
        };
        assert!(nonsense.choice().is_err());
        let again = ResumeQuery {
            only: "quarantined".to_owned(),
            reason: "missing".to_owned(),
            contains: "00017".to_owned(),
            ..ResumeQuery::default()
        };
        let wanted = Quarantined {
            class: Some(FailureClass::Missing),
            reason: Some("00017".to_owned()),
        };
        assert_eq!(
            again.choice().unwrap().only,
            Some(Only::Quarantined(wanted))
        );
        let nonsense = ResumeQuery {
            reason: "ugly".to_owned(),
            ..again
        };
        assert!(nonsense.choice().is_err());
    }
}
