"""Runs of a prompt set over several models, through the same door as every other call.

prompts   what is asked: a file of prompts, read and checked
runs      the calls, a few at a time, within a limit of cost; one Row for each
judge     scores of the answers by a further model that does not learn who wrote them
figures   the rows of one model added up
report    the folder that is kept: Markdown, CSV, answers
"""
