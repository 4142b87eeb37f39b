"""Tables of what is kept for review and of the staff, and the index for the search."""

from alembic import op
import sqlalchemy as sa

revision = '0002_transcripts'
down_revision = '0001_transcripts'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turn", sa.Column("facts", sa.LargeBinary(), nullable=True))
    op.create_table('audit_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('staff_name', sa.String(length=120), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('object_kind', sa.String(length=20), nullable=False),
    sa.Column('object_key', sa.String(length=80), nullable=False),
    sa.Column('details', sa.Text(), nullable=False),
    sa.Column('blanked', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index('audit_by_object', ['object_kind', 'object_key'], unique=False)
        batch_op.create_index('audit_by_time', ['at', 'id'], unique=False)

    op.create_table('daily_count',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('measure', sa.String(length=30), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('day', 'measure', 'key')
    )
    op.create_table('label',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('deleted_at', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('name')
    )
    op.create_table('notification',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('state', sa.String(length=5), nullable=True),
    sa.Column('object_key', sa.String(length=22), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('delivered', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('kind', 'object_key', name='uq_notification_object')
    )
    op.create_table('staff',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('password_until', sa.DateTime(), nullable=True),
    sa.Column('roles', sa.String(length=60), nullable=False),
    sa.Column('states', sa.String(length=120), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('notify', sa.Boolean(), nullable=False),
    sa.Column('totp_secret', sa.LargeBinary(), nullable=True),
    sa.Column('totp_confirmed_at', sa.DateTime(), nullable=True),
    sa.Column('totp_last_step', sa.Integer(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.DateTime(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('disabled_at', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('email'),
    sqlite_autoincrement=True,
    )
    op.create_table('callback_request',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=22), nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=True),
    sa.Column('state', sa.String(length=5), nullable=True),
    sa.Column('district', sa.String(length=5), nullable=True),
    sa.Column('need', sa.String(length=40), nullable=True),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('done_at', sa.DateTime(), nullable=True),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('callback_request', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_callback_request_conversation_id'), ['conversation_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_callback_request_state'), ['state'], unique=False)

    op.create_table('emergency_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('used_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('emergency_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_emergency_code_staff_id'), ['staff_id'], unique=False)

    op.create_table('model_comparison',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('current', sa.String(length=120), nullable=False),
    sa.Column('candidate', sa.String(length=120), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('finished_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('saved_filter',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('query', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('staff_id', 'name', name='uq_saved_filter_name')
    )
    op.create_table('staff_session',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('public_id', sa.String(length=16), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(), nullable=False),
    sa.Column('complete', sa.Boolean(), nullable=False),
    sa.Column('device', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_hash'),
    sa.UniqueConstraint('public_id')
    )
    with op.batch_alter_table('staff_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_staff_session_staff_id'), ['staff_id'], unique=False)

    op.create_table('transcript',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=22), nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=True),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('started_at', sa.DateTime(), nullable=False),
    sa.Column('last_activity_at', sa.DateTime(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.Column('consent', sa.Boolean(), nullable=False),
    sa.Column('consent_at', sa.DateTime(), nullable=True),
    sa.Column('state', sa.String(length=5), nullable=True),
    sa.Column('district', sa.String(length=5), nullable=True),
    sa.Column('need', sa.String(length=40), nullable=True),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('messages', sa.Integer(), nullable=False),
    sa.Column('fallbacks', sa.Integer(), nullable=False),
    sa.Column('min_confidence', sa.Float(), nullable=True),
    sa.Column('crisis', sa.Boolean(), nullable=False),
    sa.Column('not_helpful', sa.Boolean(), nullable=False),
    sa.Column('unanswered', sa.Boolean(), nullable=False),
    sa.Column('dangerous', sa.Boolean(), nullable=False),
    sa.Column('review_state', sa.String(length=10), nullable=False),
    sa.Column('need_right', sa.Boolean(), nullable=True),
    sa.Column('right_need', sa.String(length=40), nullable=True),
    sa.Column('reviewed_at', sa.DateTime(), nullable=True),
    sa.Column('reviewed_by', sa.Integer(), nullable=True),
    sa.Column('assigned_to', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['assigned_to'], ['staff.id'], ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversation.id'], ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['reviewed_by'], ['staff.id'], ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('conversation_id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('transcript', schema=None) as batch_op:
        batch_op.create_index('transcript_assigned', ['assigned_to', 'last_activity_at', 'id'], unique=False, sqlite_where=sa.text('assigned_to IS NOT NULL'), postgresql_where=sa.text('assigned_to IS NOT NULL'))
        batch_op.create_index('transcript_by_activity', ['last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_by_channel', ['channel', 'last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_by_language', ['language', 'last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_by_outcome', ['outcome', 'last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_by_review_state', ['review_state', 'last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_by_state', ['state', 'last_activity_at', 'id'], unique=False)
        batch_op.create_index('transcript_crisis', ['last_activity_at', 'id'], unique=False, sqlite_where=sa.text('crisis'), postgresql_where=sa.text('crisis'))
        batch_op.create_index('transcript_dangerous', ['last_activity_at', 'id'], unique=False, sqlite_where=sa.text('dangerous'), postgresql_where=sa.text('dangerous'))
        batch_op.create_index('transcript_fallback', ['last_activity_at', 'id'], unique=False, sqlite_where=sa.text('fallbacks > 0'), postgresql_where=sa.text('fallbacks > 0'))
        batch_op.create_index('transcript_by_confidence', ['min_confidence', 'last_activity_at'], unique=False)
        batch_op.create_index('transcript_urgent', ['review_state', 'last_activity_at', 'id'], unique=False, sqlite_where=sa.text('crisis OR dangerous'), postgresql_where=sa.text('crisis OR dangerous'))
        batch_op.create_index('transcript_not_helpful', ['last_activity_at', 'id'], unique=False, sqlite_where=sa.text('not_helpful'), postgresql_where=sa.text('not_helpful'))
        batch_op.create_index('transcript_unanswered', ['last_activity_at', 'id'], unique=False, sqlite_where=sa.text('unanswered'), postgresql_where=sa.text('unanswered'))

    op.create_table('note',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('note', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_note_transcript_id'), ['transcript_id'], unique=False)

    op.create_table('transcript_label',
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('label_id', sa.Integer(), nullable=False),
    sa.Column('last_activity_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['label_id'], ['label.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('transcript_id', 'label_id')
    )
    with op.batch_alter_table('transcript_label', schema=None) as batch_op:
        batch_op.create_index('transcript_label_by_activity', ['label_id', 'last_activity_at', 'transcript_id'], unique=False)

    op.create_table('transcript_need',
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('need', sa.String(length=40), nullable=False),
    sa.Column('last_activity_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('transcript_id', 'need')
    )
    with op.batch_alter_table('transcript_need', schema=None) as batch_op:
        batch_op.create_index('transcript_need_by_activity', ['need', 'last_activity_at', 'transcript_id'], unique=False)

    op.create_table('transcript_office',
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('office_id', sa.String(length=80), nullable=False),
    sa.Column('last_activity_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('transcript_id', 'office_id')
    )
    with op.batch_alter_table('transcript_office', schema=None) as batch_op:
        batch_op.create_index('transcript_office_by_activity', ['office_id', 'last_activity_at', 'transcript_id'], unique=False)

    op.create_table('transcript_turn',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('turn_id', sa.Integer(), nullable=True),
    sa.Column('author', sa.String(length=6), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('text', sa.Text(), nullable=True),
    sa.Column('redacted', sa.Text(), nullable=True),
    sa.Column('intent', sa.String(length=60), nullable=True),
    sa.Column('confidence', sa.Float(), nullable=True),
    sa.Column('entities', sa.Text(), nullable=True),
    sa.Column('message_id', sa.String(length=32), nullable=True),
    sa.Column('response', sa.String(length=80), nullable=True),
    sa.Column('referral', sa.Text(), nullable=True),
    sa.Column('helpful', sa.Boolean(), nullable=True),
    sa.Column('latency_ms', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('transcript_id', 'position', name='uq_transcript_turn_position')
    )
    op.create_table('undo',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('before', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('undo', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_undo_transcript_id'), ['transcript_id'], unique=False)

    op.create_table('verdict',
    sa.Column('turn_id', sa.Integer(), nullable=False),
    sa.Column('transcript_id', sa.Integer(), nullable=False),
    sa.Column('intent_right', sa.Boolean(), nullable=True),
    sa.Column('right_intent', sa.String(length=60), nullable=True),
    sa.Column('answer', sa.String(length=10), nullable=True),
    sa.Column('purpose', sa.String(length=10), nullable=True),
    sa.Column('purpose_fixed_at', sa.DateTime(), nullable=True),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('exported_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['transcript_id'], ['transcript.id'], ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['turn_id'], ['transcript_turn.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('turn_id')
    )
    with op.batch_alter_table('verdict', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_verdict_transcript_id'), ['transcript_id'], unique=False)

    # The words of a transcript: no table that SQLAlchemy could describe for both databases (bot.transcripts.search).
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE transcript_search (id INTEGER PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX transcript_search_words ON transcript_search USING GIN (words)")
    else:
        op.execute("CREATE VIRTUAL TABLE transcript_search USING fts5(words, content='', tokenize='unicode61 remove_diacritics 0')")


def downgrade() -> None:
    op.execute("DROP TABLE transcript_search")
    with op.batch_alter_table("turn", schema=None) as batch_op:
        batch_op.drop_column("facts")
    with op.batch_alter_table('verdict', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_verdict_transcript_id'))

    op.drop_table('verdict')
    with op.batch_alter_table('undo', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_undo_transcript_id'))

    op.drop_table('undo')
    op.drop_table('transcript_turn')
    with op.batch_alter_table('transcript_office', schema=None) as batch_op:
        batch_op.drop_index('transcript_office_by_activity')

    op.drop_table('transcript_office')
    with op.batch_alter_table('transcript_need', schema=None) as batch_op:
        batch_op.drop_index('transcript_need_by_activity')

    op.drop_table('transcript_need')
    with op.batch_alter_table('transcript_label', schema=None) as batch_op:
        batch_op.drop_index('transcript_label_by_activity')

    op.drop_table('transcript_label')
    with op.batch_alter_table('note', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_note_transcript_id'))

    op.drop_table('note')
    with op.batch_alter_table('transcript', schema=None) as batch_op:
        batch_op.drop_index('transcript_unanswered', sqlite_where=sa.text('unanswered'), postgresql_where=sa.text('unanswered'))
        batch_op.drop_index('transcript_by_confidence')
        batch_op.drop_index('transcript_urgent')
        batch_op.drop_index('transcript_not_helpful', sqlite_where=sa.text('not_helpful'), postgresql_where=sa.text('not_helpful'))
        batch_op.drop_index('transcript_fallback', sqlite_where=sa.text('fallbacks > 0'), postgresql_where=sa.text('fallbacks > 0'))
        batch_op.drop_index('transcript_dangerous', sqlite_where=sa.text('dangerous'), postgresql_where=sa.text('dangerous'))
        batch_op.drop_index('transcript_crisis', sqlite_where=sa.text('crisis'), postgresql_where=sa.text('crisis'))
        batch_op.drop_index('transcript_by_state')
        batch_op.drop_index('transcript_by_review_state')
        batch_op.drop_index('transcript_by_outcome')
        batch_op.drop_index('transcript_by_language')
        batch_op.drop_index('transcript_by_channel')
        batch_op.drop_index('transcript_by_activity')
        batch_op.drop_index('transcript_assigned', sqlite_where=sa.text('assigned_to IS NOT NULL'), postgresql_where=sa.text('assigned_to IS NOT NULL'))

    op.drop_table('transcript')
    with op.batch_alter_table('staff_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_staff_session_staff_id'))

    op.drop_table('staff_session')
    op.drop_table('saved_filter')
    op.drop_table('model_comparison')
    with op.batch_alter_table('emergency_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_emergency_code_staff_id'))

    op.drop_table('emergency_code')
    with op.batch_alter_table('callback_request', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_callback_request_state'))
        batch_op.drop_index(batch_op.f('ix_callback_request_conversation_id'))

    op.drop_table('callback_request')
    op.drop_table('staff')
    op.drop_table('notification')
    op.drop_table('label')
    op.drop_table('daily_count')
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.drop_index('audit_by_time')
        batch_op.drop_index('audit_by_object')

    op.drop_table('audit_entry')
