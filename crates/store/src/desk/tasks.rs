//! Tasks for people (S3.5).

use types::{ConversationId, LeadId, TaskId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, By, Priority, Rows, Task, TaskStatus};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    OPEN = "tasks.open":
        "SELECT t.id, t.lead_id, l.name, t.conversation_id, t.task_type, t.title, t.description, t.status, t.priority,
                t.assigned_to_type, t.assigned_to_id, t.source, t.due_at, t.created_at, t.updated_at, t.completed_at, t.tenant_id
         FROM task t LEFT JOIN lead l ON l.id = t.lead_id
         WHERE t.tenant_id = $1 AND t.status IN ('pending', 'in_progress') AND t.due_at IS NOT NULL AND t.due_at >= $2 AND t.due_at < $3
           AND (t.due_at > $4 OR (t.due_at = $4 AND t.id > $5)) ORDER BY t.due_at, t.id LIMIT $6";
    UNDATED = "tasks.undated":
        "SELECT t.id, t.lead_id, l.name, t.conversation_id, t.task_type, t.title, t.description, t.status, t.priority,
                t.assigned_to_type, t.assigned_to_id, t.source, t.due_at, t.created_at, t.updated_at, t.completed_at, t.tenant_id
         FROM task t LEFT JOIN lead l ON l.id = t.lead_id
         WHERE t.tenant_id = $1 AND t.status IN ('pending', 'in_progress') AND t.due_at IS NULL AND t.id > $2 ORDER BY t.id LIMIT $3";
    ALL = "tasks.all":
        "SELECT t.id, t.lead_id, l.name, t.conversation_id, t.task_type, t.title, t.description, t.status, t.priority,
                t.assigned_to_type, t.assigned_to_id, t.source, t.due_at, t.created_at, t.updated_at, t.completed_at, t.tenant_id
         FROM task t LEFT JOIN lead l ON l.id = t.lead_id
         WHERE t.tenant_id = $1 AND ($2 = '' OR t.status = $2) AND (CAST($3 AS {int}) = 0 OR t.lead_id = $3) AND t.id < $4 ORDER BY t.id DESC LIMIT $5";
    ONE = "tasks.one":
        "SELECT t.id, t.lead_id, l.name, t.conversation_id, t.task_type, t.title, t.description, t.status, t.priority,
                t.assigned_to_type, t.assigned_to_id, t.source, t.due_at, t.created_at, t.updated_at, t.completed_at, t.tenant_id
         FROM task t LEFT JOIN lead l ON l.id = t.lead_id WHERE t.id = $1";
    LEAD = "tasks.lead": "SELECT tenant_id FROM lead WHERE id = $1";
    TALK = "tasks.conversation": "SELECT tenant_id, lead_id FROM conversation WHERE id = $1";
    ADD = "tasks.add":
        "INSERT INTO task (id, tenant_id, lead_id, conversation_id, task_type, title, description, status, priority, assigned_to_type,
                            assigned_to_id, source, due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, $11, $12, $13, $13)";
    SET = "tasks.set":
        "UPDATE task SET title = $2, description = $3, status = $4, priority = $5, assigned_to_type = $6, assigned_to_id = $7,
                due_at = $8, updated_at = $9, completed_at = $10 WHERE id = $1";
}

fn row(r: &dyn Row) -> Result<(Task, TenantId)> {
    let updated: Timestamp = r.get(14)?;
    let priority: String = r.get(8)?;
    let task = Task {
        id: r.get(0)?,
        lead_id: r.get(1)?,
        lead_name: r.get(2)?,
        conversation_id: r.get(3)?,
        task_type: r.get(4)?,
        title: r.get(5)?,
        description: r.get(6)?,
        status: r.get(7)?,
        priority: priority.parse().unwrap_or(Priority::Normal),
        assigned_to_type: r.get(9)?,
        assigned_to_id: r.get(10)?,
        source: r.get(11)?,
        due_at: r.get(12)?,
        created_at: r.get(13)?,
        updated_at: updated.into(),
        completed_at: r.get(15)?,
        version: updated.micros().to_string(),
    };
    Ok((task, r.get(16)?))
}

/// Which tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Open ones due in this span, the earliest first.
    Due {
        /// From.
        from: Timestamp,
        /// To, that moment not included.
        to: Timestamp,
    },
    /// Open ones without a date.
    Undated,
    /// All, the newest first.
    All {
        /// Only of this status.
        status: Option<TaskStatus>,
        /// Only of this lead.
        lead: Option<LeadId>,
    },
}

/// Lists tasks.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub which: Which,
    /// Where to go on; `None`: the beginning.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.tasks";
    type Out = Rows<Task>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (t, limit) = (self.tenant, self.limit);
        let by_id = |r: &dyn Row| row(r).map(|(task, _)| (After { key: task.id.0, id: task.id.0 }, task));
        match self.which {
            Which::Due { from, to } => {
                let after = self.after.unwrap_or(After::OLDEST);
                tx.all(&OPEN, params![t, from, to, after.key, after.id, limit], |r| {
                    let (task, _) = row(r)?;
                    let key = task.due_at.map_or(0, |at| at.0.micros());
                    Ok((After { key, id: task.id.0 }, task))
                })
            }
            Which::Undated => {
                let after = self.after.map_or(0, |a| a.id);
                tx.all(&UNDATED, params![t, after, limit], by_id)
            }
            Which::All { status, lead } => {
                let (status, lead) = (status.map_or("", TaskStatus::as_str), lead.map_or(0, |l| l.0));
                let last = self.after.map_or(i64::MAX, |a| a.id);
                tx.all(&ALL, params![t, status, lead, last, limit], by_id)
            }
        }
    }
}

fn own(tx: &mut dyn Tx, access: &Access, id: TaskId) -> Result<(Task, TenantId)> {
    let found = tx.first(&ONE, params![id], row)?;
    access.check(found.as_ref().map(|f| f.1), "task", id)?;
    found.ok_or_else(|| StoreError::NotFound { what: "task", id: id.to_string() })
}

/// One task.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: TaskId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.task";
    type Out = Task;

    fn run(&self, tx: &mut dyn Tx) -> Result<Task> {
        own(tx, &self.access, self.id).map(|f| f.0)
    }
}

/// A task to be.
#[derive(Clone, Debug)]
pub struct Add {
    /// Whose.
    pub tenant: TenantId,
    /// For which lead.
    pub lead: Option<LeadId>,
    /// From which conversation.
    pub conversation: Option<ConversationId>,
    /// What kind.
    pub task_type: String,
    /// What to do.
    pub title: String,
    /// More of it.
    pub description: String,
    /// How urgent.
    pub priority: Priority,
    /// `team`, `role`, `user`, and which.
    pub assigned_to: (String, String),
    /// Until when.
    pub due_at: Option<Timestamp>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Add {
    const NAME: &'static str = "desk.add_task";
    type Out = Task;

    fn run(&self, tx: &mut dyn Tx) -> Result<Task> {
        self.access.check(Some(self.tenant), "tenant", self.tenant)?;
        let mut lead = self.lead;
        if let Some(conversation) = self.conversation {
            let of = tx.first(&TALK, params![conversation], |r| Ok((r.get::<TenantId>(0)?, r.get::<LeadId>(1)?)))?;
            let of = of.filter(|(tenant, _)| *tenant == self.tenant);
            self.access.check(of.map(|o| o.0), "conversation", conversation)?;
            lead = lead.or(of.map(|o| o.1));
        }
        if let Some(lead) = lead {
            let of = tx.first(&LEAD, params![lead], |r| r.get(0))?.filter(|t: &TenantId| *t == self.tenant);
            self.access.check(of, "lead", lead)?;
        }
        let (id, now) = (TaskId(tx.next_id()), tx.now());
        let source = if self.by.kind == "system" { "assistant" } else { "person" };
        let p = params![
            id,
            self.tenant,
            lead,
            self.conversation,
            &self.task_type,
            &self.title,
            &self.description,
            self.priority.as_str(),
            &self.assigned_to.0,
            &self.assigned_to.1,
            source,
            self.due_at,
            now,
        ];
        tx.execute(&ADD, p)?;
        let (action, kind) = ("task.create", "task");
        audit::note(tx, &self.by, &Act { tenant: Some(self.tenant), action, kind, id: id.0, ..Act::default() })?;
        own(tx, &self.access, id).map(|f| f.0)
    }
}

/// What to change; `None`: leave as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What to do.
    pub title: Option<String>,
    /// More of it.
    pub description: Option<String>,
    /// Where it stands.
    pub status: Option<TaskStatus>,
    /// How urgent.
    pub priority: Option<Priority>,
    /// `team`, `role`, `user`, and which.
    pub assigned_to: Option<(String, String)>,
    /// Until when; `Some(None)`: no date.
    pub due_at: Option<Option<Timestamp>>,
}

/// Changes a task, if it is still as the caller saw it.
#[derive(Clone, Debug)]
pub struct Set {
    /// Which.
    pub id: TaskId,
    /// What.
    pub change: Change,
    /// As the caller saw it; `None`: whatever it is now.
    pub version: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Set {
    const NAME: &'static str = "desk.set_task";
    type Out = Task;

    fn run(&self, tx: &mut dyn Tx) -> Result<Task> {
        let (task, tenant) = own(tx, &self.access, self.id)?;
        if self.version.as_ref().is_some_and(|v| *v != task.version) {
            return Err(StoreError::Changed("task"));
        }
        let c = &self.change;
        let status = c.status.unwrap_or(task.status);
        let now = tx.now();
        let updated = now.micros().max(task.updated_at.0.micros() + 1);
        let done = match (status, task.completed_at) {
            (TaskStatus::Completed, had) => Some(had.map_or(now, |at| at.0)),
            _ => None,
        };
        let had = (task.assigned_to_type.clone(), task.assigned_to_id.clone());
        let (kind, who) = c.assigned_to.clone().unwrap_or(had);
        let due = c.due_at.unwrap_or(task.due_at.map(|at| at.0));
        let p = params![
            self.id,
            c.title.as_ref().unwrap_or(&task.title),
            c.description.as_ref().unwrap_or(&task.description),
            status.as_str(),
            c.priority.unwrap_or(task.priority).as_str(),
            &kind,
            &who,
            due,
            updated,
            done,
        ];
        tx.execute(&SET, p)?;
        let act = Act {
            tenant: Some(tenant),
            action: "task.change",
            kind: "task",
            id: self.id.0,
            from: Some(task.status.as_str()),
            to: Some(status.as_str()),
            reason: None,
        };
        audit::note(tx, &self.by, &act)?;
        own(tx, &self.access, self.id).map(|f| f.0)
    }
}
