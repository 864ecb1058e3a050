"""The composition of claw, and the façade that frontends talk to.

Nothing is imported here: the sandbox is begun from `claw.runtime.policy` before the rest is loaded.
"""
