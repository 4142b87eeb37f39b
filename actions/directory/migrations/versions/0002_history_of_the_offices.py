"""History of the offices"""

from alembic import op
import sqlalchemy as sa

revision = '0002_directory'
down_revision = '0001_directory'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('office_change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('who', sa.String(length=120), nullable=False),
    sa.Column('office_id', sa.String(length=80), nullable=False),
    sa.Column('action', sa.String(length=20), nullable=False),
    sa.Column('before', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('after', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('undone_by', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['undone_by'], ['office_change.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('office_change', schema=None) as batch_op:
        batch_op.create_index('office_change_by_office', ['office_id', 'id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('office_change', schema=None) as batch_op:
        batch_op.drop_index('office_change_by_office')

    op.drop_table('office_change')
