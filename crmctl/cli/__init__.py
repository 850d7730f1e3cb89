"""The front door: parse, call one function, render; what a shell, cron and a person each need to see.

table       every command as data: path, where its code is, one line of help
app         `main`: language, signals, streams, the exit status
lazy        groups which know their commands from the table and import one only to run it
prescan     what must be known before the command line is parsed: language, output form, workspace
shared      the options that work everywhere, before and after the verb
options     `@command`, what a room writes its commands with
invocation  `Invocation`, the settled answer to "how was I called"
personal    options whose value is personal: prompt, `-`, `@FILE`
importing   options of every command that imports a sheet
prompts     questions on a terminal, never under cron
render      documents and tables → table, json, ndjson, csv, xlsx
sheet       CSV and XLSX: byte order mark, formulas neutralised
screen      streams in UTF-8, width as displayed
escape      hostile characters made visible
helptext    help pages that align Chinese
progress    rows and rows a second on a terminal
failure     every failure → one line or one JSON object, and its exit status
report      what a bug leaves behind for its report, without personal data
process     umask, core dumps, signals
topics      `crmctl help exit-codes|cron|policies`
"""
