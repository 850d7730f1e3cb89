"""Keys, sealing, look-up digests; who acts and what they may; masking and locks (design §6).

    sealing      one value sealed under one owner's key, bound to its place
    keystore     one wrapped key per owner, apart from the data; `keysqlite`, `keyserver` hold it, `keycopy` copies it
    keywrap      data keys wrapped under a master key; `masters` says where master keys come from
    identity     blind indexes: find a number without keeping it
    access       settings of policies/access.yaml: people, roles, jobs, approvals
    actor        who is acting, by the kernel's word
    permissions  whether they may; `standing` is what the staff register has against it
    granting     what a change of access.yaml gives and takes; `showing` and `reviewing` tell who may and who saw what
    accesssql    the same for PostgreSQL: groups, grants, row policies
    masking      what is shown of a personal value
    locks        one run at a time; a killed holder frees the lock
    spool        standard input kept sealed until its batch ends

May import errors, i18n, clock, files, store, and the base of policy settings. Import the files directly.
"""
