import { Component, type ReactNode } from 'react';
import { Button } from './Button';

interface Props {
  /** What is drawn: a fault is told of it alone. */
  of: string;
  children: ReactNode;
}

interface State {
  fault: Error | null;
}

/** Where drawing fails, tells it in place of what it was to draw: React would take the whole panel away, without a word. */
export class Boundary extends Component<Props, State> {
  override state: State = { fault: null };

  static getDerivedStateFromError(thrown: unknown): State {
    return { fault: thrown instanceof Error ? thrown : new Error(String(thrown)) };
  }

  override componentDidUpdate({ of }: Props): void {
    if (this.state.fault && of !== this.props.of) this.setState({ fault: null });
  }

  override render(): ReactNode {
    const { fault } = this.state;
    if (!fault) return this.props.children;
    return (
      <div className='jp-Torchtwin-message'>
        <div role='alert'>
          <h2>The panel has failed</h2>
          <div>Your code and what was recorded are as they were. Please report this:</div>
          <div className='jp-Torchtwin-codeLine'>
            <code>{`${fault.name}: ${fault.message}`}</code>
          </div>
        </div>
        <Button onClick={() => this.setState({ fault: null })}>Draw it again</Button>
      </div>
    );
  }
}
