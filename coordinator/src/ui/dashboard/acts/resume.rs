//! Shards are done again: first what that would be, then the act.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use shared::failure::{FailureClass, chain};
use shared::ids::ShardId;

use super::{Act, without_queue};
use crate::run::changes::ChangeError;
use crate::run::estimate::Estimate;
use crate::run::ledger::Ledger;
use crate::run::redo::Redo;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::things;
use crate::ui::dashboard::frame::{Frame, Section, page};
use crate::work::collector::RunView;
use crate::work::resume::{self, Choice, Only, Quarantined, ResumeError};

/// Shards of a preview that are listed one by one.
const MOST_LISTED: usize = 200;

/// Which shards somebody wants to be done again, as a form says it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in super::super) struct Wish {
    /// `missing`, `failed`, `quarantined`, or nothing for both of the first.
    #[serde(default)]
    only: String,
    /// A style, or nothing for all.
    #[serde(default)]
    style: String,
    /// Numbers of shards, set apart by commas or spaces; nothing for all.
    #[serde(default)]
    shards: String,
    /// A class of quarantined items, or nothing for all.
    #[serde(default)]
    reason: String,
    /// What their reasons have in them, or nothing for any.
    #[serde(default)]
    contains: String,
}

/// Returns a wish that a list of shards may make, which says `shards` once for each that is chosen.
fn wish(pairs: Vec<(String, String)>) -> Result<Wish, PageError> {
    let mut wish = Wish::default();
    let (mut shards, mut is_choice) = (Vec::new(), false);
    for (name, value) in pairs {
        match name.as_str() {
            "only" => wish.only = value,
            "style" => wish.style = value,
            "reason" => wish.reason = value,
            "contains" => wish.contains = value,
            "shards" => shards.push(value),
            "chosen" => is_choice = true,
            _ => {}
        }
    }
    if is_choice && shards.is_empty() {
        return Err(PageError::Senseless(
            "no shard is chosen: go back and tick those that are to be done again".to_owned(),
        ));
    }
    wish.shards = shards.join(",");
    Ok(wish)
}

#[derive(Template)]
#[template(path = "resume.html")]
struct PreviewPage {
    frame: Frame,
    run: String,
    wish: Wish,
    what: String,
    num_shards: String,
    num_items: String,
    estimate: String,
    lines: Vec<Line>,
    num_more: usize,
    /// Why it cannot be done.
    obstacle: Option<String>,
    /// Whether it is noted and nobody is told.
    only_noted: bool,
    halted: Option<String>,
}

struct Line {
    shard: ShardId,
    num_items: usize,
    why: String,
}

impl Wish {
    fn choice(&self) -> Result<Choice, PageError> {
        let senseless = |what: String| PageError::Senseless(what);
        let only = match self.only.as_str() {
            "" => None,
            "missing" => Some(Only::Missing),
            "failed" => Some(Only::Failed),
            "quarantined" => Some(Only::Quarantined(self.quarantined()?)),
            other => {
                let what = format!("only={other:?} must be missing, failed or quarantined");
                return Err(senseless(what));
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
            shards: shards.map_err(|error| senseless(error.to_string()))?,
        })
    }

    fn quarantined(&self) -> Result<Quarantined, PageError> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let unknown =
            |name: &str| PageError::Senseless(format!("reason={name:?} is no class of failure"));
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
    fn is_retry(&self) -> bool {
        self.only == "quarantined"
    }

    /// Returns what is wished, for people.
    fn what(&self) -> String {
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

/// What would be done again.
struct Found {
    ledger: Ledger,
    redo: Vec<Redo>,
}

async fn find(dashboard: &Dashboard, view: &RunView, wish: &Wish) -> Result<Found, PageError> {
    let storage = dashboard.storage.as_ref();
    let choice = wish.choice()?;
    let ledger = Ledger::read(storage, &view.run).await?;
    let redo = resume::find(storage, &view.run, &ledger, &choice).await?;
    Ok(Found { ledger, redo })
}

pub(in super::super) async fn preview(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let wish = wish(pairs)?;
    let Found { ledger, redo } = find(&dashboard, &view, &wish).await?;
    let num_items = resume::num_items(&redo);
    let broker = dashboard.live.broker();
    let depth = broker.and_then(|broker| broker.depth.ok());
    let workers = depth.map_or(0, |depth| depth.consumers);
    let estimate = Estimate::with(num_items, &view.counts, workers);
    let obstacle = without_queue(&dashboard).filter(|_| !wish.is_retry());
    let obstacle = match obstacle {
        Some(obstacle) => Some(obstacle.to_owned()),
        None => refusal(&dashboard, &view, &ledger, &redo).await?,
    };
    let line = |redo: &Redo| Line {
        shard: redo.shard,
        num_items: redo.num_items,
        why: redo.why.to_string(),
    };
    Ok(page(&PreviewPage {
        frame: Frame::new(&dashboard, &visitor, Section::Runs, format!("Resume {run}"))
            .about(&dashboard, view.id())
            .still(),
        run,
        what: wish.what(),
        obstacle,
        only_noted: dashboard.queue.is_none() && wish.is_retry(),
        wish,
        num_shards: things(redo.len(), "shard"),
        num_items: things(num_items, "item"),
        estimate: estimate.to_string(),
        lines: redo.iter().take(MOST_LISTED).map(line).collect(),
        num_more: redo.len().saturating_sub(MOST_LISTED),
        halted: ledger.decisions.halted,
    }))
}

/// Returns why it would be refused for its inputs, if it would.
async fn refusal(
    dashboard: &Dashboard,
    view: &RunView,
    ledger: &Ledger,
    redo: &[Redo],
) -> Result<Option<String>, PageError> {
    let storage = dashboard.storage.as_ref();
    match resume::changed_inputs(storage, &view.run, ledger, redo).await {
        Ok(_) => Ok(None),
        Err(ResumeError::Changed(refused @ ChangeError::Refused { .. })) => {
            Ok(Some(chain(&refused)))
        }
        Err(error) => Err(error.into()),
    }
}

pub(in super::super) async fn publish(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Act(wish): Act<Wish>,
) -> Result<Redirect, PageError> {
    let view = dashboard.run(&run)?;
    let queue = match (&dashboard.queue, without_queue(&dashboard)) {
        (None, Some(why)) if !wish.is_retry() => return Err(PageError::Trouble(why.to_owned())),
        (queue, _) => queue,
    };
    let Found { mut ledger, redo } = find(&dashboard, &view, &wish).await?;
    let (storage, planned) = (dashboard.storage.as_ref(), view.run.as_ref());
    if !redo.is_empty() {
        match queue {
            Some(queue) => {
                let publisher = resume::Publisher {
                    storage,
                    queue: queue.as_ref(),
                    run: planned,
                };
                publisher.publish(&mut ledger, &redo, |_| {}).await?;
            }
            None => {
                let changed = resume::changed_inputs(storage, planned, &ledger, &redo).await?;
                resume::decide(storage, planned, &mut ledger, &redo, changed).await?;
            }
        }
        tracing::info!(run = %view.id(), shards = redo.len(), "resumed from the dashboard");
        dashboard.live.wake();
    }
    let what = format!(
        "{} with {}.",
        things(redo.len(), "shard"),
        things(resume::num_items(&redo), "item")
    );
    let notice = match queue {
        Some(queue) => format!("Handed to {}: {what}", queue.locate()),
        None => format!("Noted, for the next run or launch to do again: {what}"),
    };
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.say(secret, notice);
    }
    Ok(Redirect::to(&format!("/runs/{run}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_are_ticked_are_chosen_and_none_are_not_all() {
        let asked = |pairs: &[(&str, &str)]| {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            wish(pairs.iter().map(own).collect())
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
    fn a_wish_is_read_as_people_write_it() {
        let wish = Wish {
            only: "failed".to_owned(),
            shards: "000007, 12".to_owned(),
            ..Wish::default()
        };
        let choice = wish.choice().unwrap();
        assert_eq!(choice.only, Some(Only::Failed));
        assert_eq!(choice.shards, [ShardId(7), ShardId(12)]);
        assert!(choice.styles.is_empty());
        let nonsense = Wish {
            shards: "seven".to_owned(),
            ..Wish::default()
        };
        assert!(nonsense.choice().is_err());
        let again = Wish {
            only: "quarantined".to_owned(),
            reason: "missing".to_owned(),
            contains: "00017".to_owned(),
            ..Wish::default()
        };
        let wanted = Quarantined {
            class: Some(FailureClass::Missing),
            reason: Some("00017".to_owned()),
        };
        assert_eq!(
            again.choice().unwrap().only,
            Some(Only::Quarantined(wanted))
        );
        let nonsense = Wish {
            reason: "ugly".to_owned(),
            ..again
        };
        assert!(nonsense.choice().is_err());
    }
}
