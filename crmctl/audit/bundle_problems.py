"""What may be wrong with an exported bundle: stable code → what it means."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

EXPLAINED: Mapping[str, str] = {
    "FILE_MISSING": N_("is not there, not readable, or not what belongs to such an export"),
    "FILE_EXTRA": N_("is no part of the export"),
    "FILE_CHANGED": N_("is not the file that the manifest names"),
    "FILE_FORM": N_("does not end with a whole line"),
    "SUMS_CHANGED": N_("is not what the manifest says"),
    "MANIFEST_FORM": N_("is not a manifest of this format, or of another log than yours"),
    "SIGNER_FOREIGN": N_("is not your key"),
    "PIN_FORM": N_("your checkpoint is not one"),
    "PIN_SIGNATURE": N_("is not signed with your key"),
    "PIN_BEYOND": N_("covers more entries than there are: the end is cut off"),
    "PIN_PLACE": N_("lies within what is not shown; ask for an export that shows it"),
    "PIN_ROOT": N_("the first entries do not give its root"),
    "CHECKPOINT_FORM": N_("is not a checkpoint, or not in order"),
    "CHECKPOINT_ORIGIN": N_("is of another log than yours"),
    "CHECKPOINT_SIGNATURE": N_("is not signed with your key"),
    "CHECKPOINT_BEYOND": N_("covers more entries than there are: the end is cut off"),
    "CHECKPOINT_PLACE": N_("lies within what is not shown; ask for an export that shows it"),
    "CHECKPOINT_ROOT": N_("the first entries do not give its root"),
    "PRUNED_FORM": N_("is not the entry of a prune of so many entries"),
    "PRUNED_SIGNATURE": N_("no checkpoint covers the entry of the prune"),
    "PRUNED_PLACE": N_("the pruned entries are not shown as such"),
    "PRUNED_ROOT": N_("the pruned entries do not give the root that the entry of the prune says"),
    "LOG_GAP": N_("nothing stands for this place in the log"),
    "LOG_ROOT": N_("the entries and proofs do not give its size and root"),
    "ENTRY_COUNT": N_("the number of entries is not the manifest's"),
    "ENTRY_FORM": N_("an entry is not readable"),
    "ENTRY_PLACE": N_("does not follow the entry before it"),
    "ENTRY_WITHHELD": N_("is kept back though the export says it is there"),
    "SCOPE_PART": N_("the export is not of the whole log"),
    "PERIOD_EDGE": N_("the entry before or after the period is not shown"),
    "PROOF_FORM": N_("a line is not a proof"),
    "PROOF_WRONG": N_("its proof does not lead from it to the newest checkpoint"),
    "PROOF_MISSING": N_("does not prove what it must, in order"),
    "LEAF_FORM": N_("a line is not a leaf with its proof, or out of order"),
    "LEAF_PROOF": N_("a leaf is not proved to be under it"),
    "LEAF_CONTENT": N_("a leaf is not of this customer, or not what it says"),
    "LEAF_MISSING": N_("nothing shows that it is about this customer"),
    "SUMMARY_CHANGED": N_("is not the summary of these entries"),
}
