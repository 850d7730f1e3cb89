"""Every command as data, so that help and completion import no command.

A command's `target` is imported when it runs; nouns are in `nouns`, the commands of subjects in `subjects`. Order is
order on the help page.
"""

from __future__ import annotations

from crmctl.cli.entry import Entry
from crmctl.cli.subjects import SUBJECTS
from crmctl.i18n import N_

__all__ = ["COMMANDS", "Entry"]

COMMANDS: tuple[Entry, ...] = (
    Entry("init", "crmctl.setup.commands:init_command", N_("Make a new workspace.")),
    Entry("demo", "crmctl.setup.commands:demo_command", N_("Run the main job on sample data, step by step.")),
    Entry("doctor", "crmctl.setup.commands:doctor_command", N_("Check this workspace: what is fine, what is not.")),
    *SUBJECTS,
    Entry("approval list", "crmctl.approvals.commands:list_command", N_("List what was asked to be approved.")),
    Entry("approval show", "crmctl.approvals.commands:show_command", N_("Show one approval and who decided how.")),
    Entry("approval statement", "crmctl.approvals.commands:statement_command", N_("Print the exact text to sign.")),
    Entry(
        "approval approve", "crmctl.approvals.commands:approve_command", N_("Agree to what somebody else asked for.")
    ),
    Entry("approval reject", "crmctl.approvals.commands:reject_command", N_("Refuse what somebody else asked for.")),
    Entry("approval revoke", "crmctl.approvals.commands:revoke_command", N_("Take back an approval not used yet.")),
    Entry(
        "use request",
        "crmctl.customers.export_commands:use_request_command",
        N_("Ask to export customers: what for, how, for whom."),
    ),
    Entry("use list", "crmctl.use.commands:list_command", N_("List use requests, or what was used.")),
    Entry("use show", "crmctl.use.commands:show_command", N_("Show one use request, with its approval and uses.")),
    Entry("use approve", "crmctl.use.commands:approve_command", N_("Agree to a use request that somebody else made.")),
    Entry("use record", "crmctl.use.commands:record_command", N_("Record what came of a use.")),
    Entry("use copies", "crmctl.use.commands:copies_command", N_("List the files with customer data that left.")),
    Entry("use destroyed", "crmctl.use.commands:destroyed_command", N_("Record that a copy was destroyed.")),
    Entry("use evaluate", "crmctl.use.commands:evaluate_command", N_("Count what an evaluation of use looks at.")),
    Entry("use evaluated", "crmctl.use.commands:evaluated_command", N_("Record how the use was judged.")),
    Entry("notify send", "crmctl.notify.commands:send_command", N_("Send what waits; for cron.")),
    Entry("notify list", "crmctl.notify.commands:list_command", N_("List notices that wait or have failed, and why.")),
    Entry("notify test", "crmctl.notify.commands:test_command", N_("Send a test message to a channel.")),
    Entry("notify retry", "crmctl.notify.commands:retry_command", N_("Let failed notices wait again.")),
    Entry("notify drop", "crmctl.notify.commands:drop_command", N_("Drop notices that nobody needs any more.")),
    Entry(
        "sla explain", "crmctl.worktime.commands:explain_command", N_("Say when a time limit ends, with its working.")
    ),
    Entry("calendar list", "crmctl.worktime.commands:list_command", N_("List the working calendars in force.")),
    Entry("calendar show", "crmctl.worktime.commands:show_command", N_("Show a year of a working calendar.")),
    Entry(
        "calendar import",
        "crmctl.worktime.commands:import_command",
        N_("Add days off and make-up days from an iCal file."),
    ),
    Entry(
        "calendar update",
        "crmctl.worktime.commands:update_command",
        N_("List deadlines that a changed calendar moves; move them."),
    ),
    Entry("audit list", "crmctl.audit.commands:list_command", N_("List entries of the audit log.")),
    Entry(
        "audit checkpoint", "crmctl.audit.checkpoint_commands:checkpoint_command", N_("Sign the audit log as it is.")
    ),
    Entry(
        "audit export",
        "crmctl.audit.export_commands:export_command",
        N_("Export the log, or a part, with all it takes to verify it."),
    ),
    Entry("audit prune", "crmctl.audit.prune_commands:prune_command", N_("Let the texts of old entries go.")),
    Entry("audit verify", "crmctl.audit.commands:verify_command", N_("Recompute the audit log from its bytes.")),
    Entry(
        "policy validate",
        "crmctl.policy.commands:validate_command",
        N_("Check the policy files; report every problem at once."),
    ),
    Entry("policy list", "crmctl.policy.commands:list_command", N_("List the policies in force.")),
    Entry("policy show", "crmctl.policy.commands:show_command", N_("Show one policy as the program understands it.")),
    Entry(
        "policy explain",
        "crmctl.policy.commands:explain_command",
        N_("Say what the policies decide about a customer, and why."),
    ),
    Entry("policy schema", "crmctl.policy.commands:schema_command", N_("Show what a policy kind may contain.")),
    Entry(
        "policy test",
        "crmctl.policy.commands:test_command",
        N_("Decide the cases in policies/tests; fail on surprises."),
    ),
    Entry(
        "policy questions",
        "crmctl.policy.commands:questions_command",
        N_("List what the company has not decided; take the answers in."),
    ),
    Entry("access show", "crmctl.security.access_commands:show_command", N_("Show who has which rights.")),
    Entry(
        "access check",
        "crmctl.security.access_commands:check_command",
        N_("Say whether somebody may do an act, and why."),
    ),
    Entry(
        "access review",
        "crmctl.security.access_commands:review_command",
        N_("Say who saw customers they do not own."),
    ),
    Entry("access sql", "crmctl.security.access_commands:sql_command", N_("Print PostgreSQL roles and row policies.")),
    Entry("keys status", "crmctl.security.commands:status_command", N_("Show the key store's state; no secret.")),
    Entry("keys copy", "crmctl.security.commands:copy_command", N_("Copy the key store for safe keeping.")),
    Entry("keys rotate", "crmctl.security.commands:rotate_command", N_("Change the master key or the index key.")),
    Entry("keys destroy", "crmctl.security.commands:destroy_command", N_("Destroy a master key after its horizon.")),
    Entry("keys mirror", "crmctl.security.commands:mirror_command", N_("Make or mend the second key store.")),
    Entry(
        "backup create",
        "crmctl.backups.commands:create_command",
        N_("Make a backup of the data, or of the keys, and read it back."),
    ),
    Entry("backup list", "crmctl.backups.commands:list_command", N_("List backups, newest first.")),
    Entry("backup verify", "crmctl.backups.commands:verify_command", N_("Read backups to the end.")),
    Entry(
        "backup restore",
        "crmctl.backups.commands:restore_command",
        N_("Make a new workspace from a backup; what was destroyed stays destroyed."),
    ),
    Entry("backup drill", "crmctl.backups.commands:drill_command", N_("Restore a backup on trial, and prove it.")),
    Entry(
        "db upgrade", "crmctl.setup.commands:db_upgrade_command", N_("Bring the database to this program's revision.")
    ),
    Entry("db current", "crmctl.setup.commands:db_current_command", N_("Show the database's revision.")),
    Entry("db check", "crmctl.setup.commands:db_check_command", N_("Compare the database with the program's tables.")),
    Entry("db vacuum", "crmctl.setup.commands:db_vacuum_command", N_("Give back the room that destroyed rows left.")),
    Entry(
        "config show",
        "crmctl.setup.commands:config_show_command",
        N_("Show each setting, its value and where the value comes from."),
    ),
    Entry("help", "crmctl.cli.topics:help_command", N_("Explain a command or a topic: exit-codes, cron, policies.")),
)
