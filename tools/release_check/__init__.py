"""The test of a release before it is published: it is built, uploaded by the workflow's command, installed and used."""
