"""The commands of the subjects (customers, orders, staff, tiers, owners, complaints, holds …), for `table`."""

from __future__ import annotations

from crmctl.cli.entry import Entry
from crmctl.i18n import N_

SUBJECTS: tuple[Entry, ...] = (
    Entry(
        "customer import",
        "crmctl.customers.commands:import_command",
        N_("Import customers from CSV, XLSX, XLS or ODS under the policy."),
    ),
    Entry(
        "customer template",
        "crmctl.customers.commands:template_command",
        N_("Write the empty sheet that a desk fills in."),
    ),
    Entry("customer list", "crmctl.customers.commands:list_command", N_("List customers, masked.")),
    Entry("customer show", "crmctl.customers.commands:show_command", N_("Show one customer, masked.")),
    Entry(
        "customer find",
        "crmctl.customers.commands:find_command",
        N_("Find customers by mobile, e-mail, code, name or company."),
    ),
    Entry(
        "customer export",
        "crmctl.customers.export_commands:export_command",
        N_("Write chosen fields of customers to a file, for a purpose and a recipient."),
    ),
    Entry(
        "customer cancel",
        "crmctl.customers.cancel_commands:cancel_command",
        N_("Record that customers are customers no more, or undo it."),
    ),
    Entry("customer history", "crmctl.customers.commands:history_command", N_("Show every change of one customer.")),
    Entry("batch list", "crmctl.sheets.batch_commands:list_command", N_("List imports, newest first.")),
    Entry("batch show", "crmctl.sheets.batch_commands:show_command", N_("Show one import and its counts.")),
    Entry(
        "batch rejects",
        "crmctl.sheets.batch_commands:rejects_command",
        N_("List an import's rejected rows, or write them to a file."),
    ),
    Entry(
        "batch resume",
        "crmctl.sheets.batch_commands:resume_command",
        N_("Finish an import that was interrupted."),
    ),
    Entry(
        "order import",
        "crmctl.orders.commands:import_command",
        N_("Import orders from CSV, XLSX, XLS or ODS: create, change, leave."),
    ),
    Entry("order list", "crmctl.orders.commands:list_command", N_("List orders by customer.")),
    Entry("order template", "crmctl.orders.commands:template_command", N_("Write the empty sheet for orders.")),
    Entry("staff add", "crmctl.staff.commands:add_command", N_("Add a person to the staff register.")),
    Entry(
        "staff import",
        "crmctl.staff.commands:import_command",
        N_("Import a sheet of staff; staff numbers recognise people."),
    ),
    Entry("staff template", "crmctl.staff.commands:template_command", N_("Write the empty sheet of staff.")),
    Entry("staff list", "crmctl.staff.commands:list_command", N_("List staff, or who may not own customers and why.")),
    Entry("staff show", "crmctl.staff.commands:show_command", N_("Show one person of the staff register.")),
    Entry("staff update", "crmctl.staff.commands:update_command", N_("Change what is recorded about a person.")),
    Entry("staff deactivate", "crmctl.staff.commands:deactivate_command", N_("Record that somebody leaves.")),
    Entry(
        "staff absence add",
        "crmctl.staff.absence_commands:add_command",
        N_("Record that somebody is away, with a deputy."),
    ),
    Entry("staff absence list", "crmctl.staff.absence_commands:list_command", N_("List absences and who stands in.")),
    Entry("staff absence cancel", "crmctl.staff.absence_commands:cancel_command", N_("Cancel an absence.")),
    Entry("tier regrade", "crmctl.tiers.commands:regrade_command", N_("Grade customers by the policy in force.")),
    Entry("tier explain", "crmctl.tiers.commands:explain_command", N_("Say why a customer has its tier.")),
    Entry(
        "tier override",
        "crmctl.tiers.commands:override_command",
        N_("Put a person's decision above the rules, with its reason."),
    ),
    Entry("tier overrides", "crmctl.tiers.commands:overrides_command", N_("List the overrides in force.")),
    Entry("tier findings", "crmctl.tiers.commands:findings_command", N_("List what policies in mode report would do.")),
    Entry("tier history", "crmctl.tiers.commands:history_command", N_("Show every change of a customer's tier.")),
    Entry("tier list", "crmctl.tiers.commands:list_command", N_("List the tiers and what each is owed.")),
    Entry("tier summary", "crmctl.tiers.commands:summary_command", N_("Say how many customers each tier has.")),
    Entry(
        "owner assign",
        "crmctl.owners.commands:assign_command",
        N_("Give customers without an active owner the right one."),
    ),
    Entry("owner explain", "crmctl.owners.commands:explain_command", N_("Say why a customer has its owner.")),
    Entry(
        "owner findings",
        "crmctl.owners.commands:findings_command",
        N_("List what owners policies in mode report would do."),
    ),
    Entry(
        "owner list",
        "crmctl.owners.book_commands:list_command",
        N_("List customers with their owners, or those without a fit one."),
    ),
    Entry("owner workload", "crmctl.owners.book_commands:workload_command", N_("Say what everybody looks after.")),
    Entry(
        "owner history",
        "crmctl.owners.book_commands:history_command",
        N_("Show who looked after a customer, and why."),
    ),
    Entry("owner take", "crmctl.owners.book_commands:take_command", N_("Take a customer out of a pool.")),
    Entry(
        "owner reclaim",
        "crmctl.owners.book_commands:reclaim_command",
        N_("Let customers go back to a pool when nobody has looked after them."),
    ),
    Entry(
        "owner collaborator add",
        "crmctl.owners.collaborator_commands:add_command",
        N_("Let somebody work on a customer beside its owner."),
    ),
    Entry("owner collaborator end", "crmctl.owners.collaborator_commands:end_command", N_("End a collaboration.")),
    Entry(
        "owner handover give",
        "crmctl.owners.handover_commands:give_command",
        N_("Hand a person's customers to another, or as the policy says."),
    ),
    Entry("owner handover list", "crmctl.owners.handover_commands:list_command", N_("List handovers, newest first.")),
    Entry("owner handover show", "crmctl.owners.handover_commands:show_command", N_("Show one handover.")),
    Entry("owner handover accept", "crmctl.owners.handover_commands:accept_command", N_("Take over what is open.")),
    Entry("owner handover return", "crmctl.owners.handover_commands:return_command", N_("Give back what is open.")),
    Entry(
        "owner handover sheet",
        "crmctl.owners.handover_commands:sheet_command",
        N_("Write the sheet that both sides sign."),
    ),
    Entry(
        "owner handover wecom",
        "crmctl.owners.handover_commands:wecom_command",
        N_("Write the transfer file for WeCom."),
    ),
    Entry(
        "complaint open",
        "crmctl.complaints.commands:open_command",
        N_("Accept a complaint: number and time limit at once."),
    ),
    Entry("complaint import", "crmctl.complaints.import_commands:import_command", N_("Accept a sheet of complaints.")),
    Entry("complaint template", "crmctl.complaints.import_commands:template_command", N_("Write the empty sheet.")),
    Entry(
        "complaint show",
        "crmctl.complaints.commands:show_command",
        N_("Show one complaint: limits, history, what is missing."),
    ),
    Entry(
        "complaint list",
        "crmctl.complaints.list_commands:list_command",
        N_("List complaints, the first deadline first."),
    ),
    Entry(
        "complaint statistics",
        "crmctl.complaints.figure_commands:statistics_command",
        N_("Count complaints of a period; timeliness and rates."),
    ),
    Entry(
        "complaint form",
        "crmctl.complaints.figure_commands:form_command",
        N_("Write the complaint form, one page to print."),
    ),
    Entry(
        "complaint respond",
        "crmctl.complaints.step_commands:respond_command",
        N_("Record the first response."),
    ),
    Entry(
        "complaint verify",
        "crmctl.complaints.step_commands:verify_command",
        N_("Record responsible party and cause."),
    ),
    Entry(
        "complaint propose",
        "crmctl.complaints.step_commands:propose_command",
        N_("Record a handling plan as put to the customer."),
    ),
    Entry(
        "complaint agree",
        "crmctl.complaints.step_commands:agree_command",
        N_("Record that the customer agreed to the plan."),
    ),
    Entry(
        "complaint refuse",
        "crmctl.complaints.step_commands:refuse_command",
        N_("Record that the customer refused the plan."),
    ),
    Entry(
        "complaint rectify",
        "crmctl.complaints.step_commands:rectify_command",
        N_("Record that the measures are done."),
    ),
    Entry(
        "complaint progress",
        "crmctl.complaints.step_commands:progress_command",
        N_("Record what the customer was told of the progress."),
    ),
    Entry(
        "complaint handoff",
        "crmctl.complaints.step_commands:handoff_command",
        N_("Pass a complaint to a department or another handler."),
    ),
    Entry(
        "complaint answer",
        "crmctl.complaints.step_commands:answer_command",
        N_("Record a department's answer."),
    ),
    Entry(
        "complaint classify",
        "crmctl.complaints.step_commands:classify_command",
        N_("Judge category or severity anew."),
    ),
    Entry(
        "complaint mediate",
        "crmctl.complaints.step_commands:mediate_command",
        N_("Record that mediation was offered."),
    ),
    Entry(
        "complaint revisit",
        "crmctl.complaints.closing_commands:revisit_command",
        N_("Record the revisit: satisfaction, settled or not."),
    ),
    Entry(
        "complaint review",
        "crmctl.complaints.closing_commands:review_command",
        N_("Review how it was handled."),
    ),
    Entry(
        "complaint legal-review",
        "crmctl.complaints.closing_commands:legal_review_command",
        N_("Record the legal review."),
    ),
    Entry(
        "complaint analyse",
        "crmctl.complaints.closing_commands:analyse_command",
        N_("Record root cause and improvement."),
    ),
    Entry(
        "complaint close",
        "crmctl.complaints.closing_commands:close_command",
        N_("Close a complaint that lacks nothing."),
    ),
    Entry(
        "complaint reopen",
        "crmctl.complaints.closing_commands:reopen_command",
        N_("Reopen a closed complaint."),
    ),
    Entry(
        "complaint mark-duplicate",
        "crmctl.complaints.closing_commands:mark_duplicate_command",
        N_("Mark a complaint as the repetition of another."),
    ),
    Entry(
        "complaint extend",
        "crmctl.complaints.closing_commands:extend_command",
        N_("Ask for a longer limit; extend as agreed."),
    ),
    Entry(
        "complaint link",
        "crmctl.complaints.closing_commands:link_command",
        N_("Record who an unidentified complainant is."),
    ),
    Entry(
        "complaint attach",
        "crmctl.complaints.closing_commands:attach_command",
        N_("Keep a file with a complaint."),
    ),
    Entry(
        "complaint file",
        "crmctl.complaints.commands:file_command",
        N_("Write a file that is kept with a complaint."),
    ),
    Entry(
        "complaint escalate",
        "crmctl.complaints.escalate_commands:escalate_command",
        N_("Warn before limits end, escalate those that are over; for cron."),
    ),
    Entry("hold set", "crmctl.holds.commands:set_command", N_("Keep customers from being destroyed for now.")),
    Entry("hold lift", "crmctl.holds.commands:lift_command", N_("Lift a hold, or let some customers out of it.")),
    Entry("hold list", "crmctl.holds.commands:list_command", N_("List holds, newest first.")),
    Entry("hold show", "crmctl.holds.commands:show_command", N_("Show one hold: why, by whom, how many customers.")),
    Entry("purge plan", "crmctl.retention.commands:plan_command", N_("Say who is to be destroyed; ask for approval.")),
    Entry("purge approve", "crmctl.retention.commands:approve_command", N_("Agree to exactly what a plan destroys.")),
    Entry("purge reject", "crmctl.retention.commands:reject_command", N_("Refuse what a plan would destroy.")),
    Entry("purge run", "crmctl.retention.commands:run_command", N_("Destroy what an approved plan says.")),
    Entry("purge verify", "crmctl.retention.commands:verify_command", N_("Prove that it is gone; issue the record.")),
    Entry(
        "purge prove", "crmctl.retention.commands:prove_command", N_("Show somebody that the record speaks of them.")
    ),
    Entry("purge horizon", "crmctl.retention.commands:horizon_command", N_("Say when no copy of keys opens any more.")),
    Entry("purge anonymous", "crmctl.retention.commands:anonymous_command", N_("List what anonymised customers left.")),
    Entry("purge list", "crmctl.retention.commands:list_command", N_("List purges: planned, approved, done, proved.")),
    Entry("purge show", "crmctl.retention.commands:show_command", N_("Show one purge, its customers, its record.")),
    Entry("purge form", "crmctl.retention.commands:form_command", N_("Write the approval form, one page to print.")),
)
